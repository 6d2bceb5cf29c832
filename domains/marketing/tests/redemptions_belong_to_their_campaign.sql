-- A coupon is handed in by a household that got the campaign, for a coupon of the campaign, while it runs.
select redemptions.*
from {{ ref('stg_coupon_redemptions') }} as redemptions
left join {{ ref('stg_campaigns') }} as targets
    on redemptions.campaign_id = targets.campaign_id
    and redemptions.household_id = targets.household_id
left join {{ ref('stg_campaign_descriptions') }} as campaigns
    on redemptions.campaign_id = campaigns.campaign_id
    and redemptions.redeemed_on between campaigns.starts_on and campaigns.ends_on
left join (select distinct campaign_id, coupon_upc from {{ ref('stg_coupons') }}) as coupons
    on redemptions.campaign_id = coupons.campaign_id
    and redemptions.coupon_upc = coupons.coupon_upc
where
    targets.household_id is null
    or campaigns.campaign_id is null
    or coupons.coupon_upc is null
