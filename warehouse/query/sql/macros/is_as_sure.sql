-- meaning: whether a leak is among those that are asked for: owed is firm or likely, all is estimates too
create macro is_as_sure(certainty, asked) as
case asked
    when 'owed' then certainty in ('firm', 'likely')
    when 'all' then true
    else certainty = asked
end
