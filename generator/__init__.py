"""Matrix Archive: content in, verified static site out.

content/ -> catalogue -> clips -> measure -> charts, pages -> publish -> site/
                          ^
                         lab
"""
