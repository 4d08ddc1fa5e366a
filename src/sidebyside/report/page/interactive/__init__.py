"""What a page does beyond being read: charts that answer, tables that sort, two variants compared.

A page without JavaScript shows pictures and tables as they are.
"""
