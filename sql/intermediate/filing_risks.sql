-- grain: one open insurer invoice whose claim has to be sent, or sent again, before the insurer stops taking it
-- key: invoice_number
-- description: Invoices of which no claim was sent, or whose newest claim was rejected, 14 days or less before the
--   filing limit, or past it. The limit is clinic.yaml's for the insurer, else a default, in days after the service.
--   What waits for another insurer's answer is none, and where no claims report was ever brought home nothing is said.
with payers as (
    select distinct invoice.payer
    from intermediate.open_invoices as invoice
    where invoice.side = 'insurer'
),

limits as (
    select
        payers.payer,
        filing.days,
        filing.is_default,
        row_number() over (
            partition by payers.payer
            order by filing.is_default, length(filing.insurer) desc, filing.insurer
        ) as place
    from payers
    inner join settings.filing_limits as filing
        on lower(payers.payer) = lower(filing.insurer)
        or (filing.is_default and contains(lower(payers.payer), lower(filing.insurer)))
)

select
    invoice.invoice_number,
    invoice.patient,
    invoice.staff_member,
    invoice.location,
    invoice.payer,
    invoice.service_date,
    invoice.open_cents,
    invoice.currency,
    claim.folder,
    limits.days as limit_days,
    limits.is_default,
    invoice.service_date + limits.days as limit_on
from intermediate.open_invoices as invoice
cross join staging.clock as clock
cross join staging.claims_report as claims_report
inner join limits
    on limits.payer = invoice.payer
    and limits.place = 1
left join intermediate.latest_claims as claim using (invoice_number)
where invoice.side = 'insurer'
    and coalesce(claim.folder in ('draft', 'unsubmitted', 'rejected'), claims_report.is_known)
    and invoice.service_date + limits.days - clock.as_of <= 14
    and invoice.invoice_number not in (
        select waiting.invoice_number from intermediate.waiting_on_primary as waiting
    )
