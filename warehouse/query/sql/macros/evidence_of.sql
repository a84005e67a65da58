-- meaning: what shows a leak, in words
create macro evidence_of(claim_folder, claim_sent_on, claim_answered_on, policy_ended_on, invoice_date, amount_basis) as
concat_ws(
    '; ',
    case when claim_folder is not null then 'claim ' || replace(claim_folder, '_', ' ') end,
    case when claim_sent_on is not null then 'sent ' || claim_sent_on end,
    case when claim_answered_on is not null then 'answered ' || claim_answered_on end,
    case when policy_ended_on is not null then 'policy ended ' || policy_ended_on end,
    case when invoice_date is not null then 'invoiced ' || invoice_date end,
    case amount_basis
        when 'price_list' then 'amount from the price list'
        when 'history' then 'amount as usual for the item'
        when 'fee_policy' then 'amount from the fee policy'
        when 'hourly_rate' then 'amount as collected a booked hour over 90 days'
    end
)
