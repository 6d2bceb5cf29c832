"""dbt projects: read one without dbt, compile its models, run it in this process. Holds the macros and the profile.

The folder of a data product goes in; compiled statements or built tables come out. Heavy: import its modules by name.
"""
