package contract

// The datasets of money received, applied and given up. Of their reports only the transactions report has headers that are
// publicly known; the others' are our own choice, to be corrected on a real account.

const (
	meaningPatient  = "Pseudonym of the patient; none where an insurer pays for many at once."
	meaningPayer    = "person or insurer."
	meaningPayerID  = "Pseudonym of the insurer; none where a person pays."
	meaningCurrency = "ISO 4217 code of all amounts."
)

func payments() Dataset {
	return Dataset{
		Name:   Payments,
		Report: "transactions",
		Grain:  "one movement of money between a payer and the clinic",
		Columns: []Column{
			column("payment_id", typeText, "Number of the transaction; where the report has none, a keyed digest of its content and a count of equal ones.", "Transaction #", "Transaction Number"),
			column("kind", typeText, "payment, refund, bounce, fee (charged to the clinic, none of the payer's money) or other; without the header, by the amount's sign.", "Type", "Transaction Type"),
			column("received_on", typeDay, "Local day on which the money came or went.", "Date", "Transaction Date").required(),
			column("processed_on", typeDay, "Local day on which it was processed.", "Processing Date").nullable(),
			column("method", typeText, "card, cash, cheque, bank_transfer, insurer, account_credit, gift or other.", "Payment Method").required(),
			column("payer_kind", typeText, meaningPayer, "Payer").required(),
			column("payer_id", typeText, meaningPayerID).nullable().as(Pseudonym),
			column("patient", typeText, meaningPatient, "Patient Guid").nullable().as(Pseudonym),
			column("applied_to", typeText, "Invoice numbers that it is applied to, separated by spaces; what each got is in applied_payments.", "Applied To").required().nullable(),
			column("amount_cents", typeBig, "What moved: positive to the clinic, negative from it; a tip is part of it.", "Amount").required().counting(unitCents),
			column("tip_cents", typeBig, "The part of it that is a tip, which pays no invoice.", "Tip").nullable().counting(unitCents),
			column("paid_to_clinic_cents", typeBig, "What reached the clinic's account after the processor's charges.", "Amount Paid to Clinic").nullable().counting(unitCents),
			column("currency", typeText, meaningCurrency).as(Public),
			observedOn(),
			refused("Patient", "names the patient"),
			refusedAs("may be a cheque's or a card's number", "Reference", "Cheque #"),
			refused("Notes", "free text, may be clinical"),
		},
	}
}

func appliedPayments() Dataset {
	return Dataset{
		Name:   AppliedPayments,
		Report: "applied_unapplied_payments",
		Grain:  "one application of a payment to an invoice, or what of a payment is not applied",
		Columns: []Column{
			column("payment_id", typeText, "The payment, as payments numbers it.", "Transaction #", "Transaction Number").required(),
			column("invoice_number", typeText, "The invoice that it pays; empty for money that pays none yet, the payer's credit.", "Invoice #", "Invoice Number").required(),
			column("ordinal", typeInt, "Counts a payment's applications to one invoice from 0, by day and amount."),
			column("received_on", typeDay, "Local day on which the money came.", "Payment Date").required(),
			column("applied_on", typeDay, "Local day on which it was applied; none for what is not.", "Applied Date").required().nullable(),
			column("purchase_date", typeDay, "Local day of the service or sale that it pays.", "Purchase Date").nullable(),
			column("patient", typeText, meaningPatient, "Patient Guid").nullable().as(Pseudonym),
			column("payer_kind", typeText, meaningPayer, "Payer").required(),
			column("payer_id", typeText, meaningPayerID).nullable().as(Pseudonym),
			column("amount_cents", typeBig, "Applied, negative where it is taken off again or paid back; without an invoice, what is left of the payment.", "Applied Amount").required().counting(unitCents),
			column("currency", typeText, meaningCurrency).as(Public),
			observedOn(),
			refused("Patient", "names the patient"),
			refused("Notes", "free text, may be clinical"),
		},
	}
}

// adjusted are the columns of both reports of adjustments; on is the header of the day, amount that of the money.
func adjusted(on, amount string) []Column {
	return []Column{
		column("invoice_number", typeText, "The invoice that is adjusted.", "Invoice #", "Invoice Number").required(),
		column("kind", typeText, "write_off, credit_memo, contractual, reversal or other."),
		column("adjusted_on", typeDay, "Local day of the adjustment.", on).required(),
		column("ordinal", typeInt, "Counts an invoice's adjustments of one kind and day from 0, by amount."),
		column("purchase_date", typeDay, "Local day of the service or sale.", "Purchase Date").required().nullable(),
		column("patient", typeText, "Pseudonym of the patient.", "Patient Guid").required().as(Pseudonym),
		column("staff_member", typeText, "Name of the practitioner, or a pseudonym where clinic.yaml says so; empty for a sale without one.", "Staff Member"),
		column("location", typeText, "Name of the clinic's location.", "Location"),
		column("payer_kind", typeText, meaningPayer, "Payer").required(),
		column("payer_id", typeText, meaningPayerID).nullable().as(Pseudonym),
		column("amount_cents", typeBig, "What it takes off the invoice's balance; negative where it is undone.", amount).required().counting(unitCents),
		column("currency", typeText, meaningCurrency).as(Public),
		observedOn(),
		refused("Patient", "names the patient"),
		refused("Reason", "free text, may be clinical"),
		refused("Notes", "free text, may be clinical"),
	}
}

func adjustments() Dataset {
	d := Dataset{
		Name:    Adjustments,
		Report:  "adjustments",
		Grain:   "one adjustment of an invoice that is no write-off: a credit memo, a contractual reduction",
		Columns: adjusted("Adjustment Date", "Adjustment Amount"),
	}
	d.Columns[1].Headers, d.Columns[1].Required = []string{"Adjustment Type"}, true
	return d
}

func writeOffs() Dataset {
	return Dataset{
		Name:    WriteOffs,
		Report:  "write_off",
		Grain:   "one write-off of an invoice; its kind is write_off",
		Columns: adjusted("Write Off Date", "Amount Written Off"),
	}
}

func credits() Dataset {
	return Dataset{
		Name:   Credits,
		Report: "credit",
		Grain:  "money of one payer that stood on account, applied to nothing, at the end of one day",
		Columns: []Column{
			column("as_of", typeDay, "The day, from the file's name or its `Date range:` row."),
			column("account", typeText, "Pseudonym of the patient whose credit it is, or of the insurer.", "Patient Guid").required().as(Pseudonym),
			column("payer_kind", typeText, "person for a patient's credit, insurer for an insurer's.", "Payer").required(),
			column("credit_cents", typeBig, "What the clinic owes them.", "Credit").required().counting(unitCents),
			column("currency", typeText, meaningCurrency).as(Public),
			observedOn(),
			refused("Patient", "names the patient"),
			refused("Notes", "free text, may be clinical"),
		},
	}
}

func accountsReceivable() Dataset {
	money := func(name, meaning, header string) Column {
		return column(name, typeBig, meaning, header).required().counting(unitCents)
	}
	return Dataset{
		Name:   AccountsReceivable,
		Report: "accounts_receivable",
		Grain:  "the portal's own totals of one calendar month, the last one up to the report's day",
		Columns: []Column{
			column("period_from", typeDay, "First day of the month.", "From").required(),
			column("period_to", typeDay, "Last day, that of the report where the month is not over.", "To").required(),
			money("opening_cents", "Receivables before the month.", "Opening A/R"),
			money("sales_cents", "Invoiced in it, reversals taken off, courtesy claims left out.", "Sales"),
			money("transactions_cents", "Received in it, less refunds and bounces.", "Transactions"),
			money("opening_credits_cents", "Money on account before the month.", "Opening Credits"),
			money("closing_credits_cents", "Money on account after it.", "Closing Credits"),
			money("credit_memos_cents", "Credit memos, contractual reductions and write-offs of the month.", "Credit Memos"),
			money("tips_cents", "Tips among the transactions.", "Tips"),
			money("closing_cents", "Receivables after the month: opening + sales − transactions + closing credits − opening credits − credit memos + tips.", "Closing A/R"),
			column("currency", typeText, meaningCurrency).as(Public),
			observedOn(),
		},
	}
}
