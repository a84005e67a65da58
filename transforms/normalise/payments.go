package normalise

import (
	"bytes"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

var paymentKinds = withNames(contract.PaymentKinds(), map[string]string{
	"payment_received": contract.PaymentIn, "payment_refund": contract.PaymentBack, "refunded": contract.PaymentBack,
	"bounced": contract.Bounce, "nsf": contract.Bounce, "returned": contract.Bounce, "returned_payment": contract.Bounce,
	"reversal": contract.Bounce, "payment_reversal": contract.Bounce, "chargeback": contract.Bounce,
	"processing_fee": contract.Fee, "bank_fee": contract.Fee, "service_fee": contract.Fee,
})

var methods = withNames(contract.Methods(), map[string]string{
	"credit_card": contract.Card, "debit_card": contract.Card, "debit": contract.Card, "interac": contract.Card, "visa": contract.Card,
	"mastercard": contract.Card, "amex": contract.Card, "american_express": contract.Card, "discover": contract.Card,
	"card_on_file": contract.Card, "terminal": contract.Card, "online_payment": contract.Card,
	"check": contract.Cheque, "money_order": contract.Cheque,
	"bank": contract.BankTransfer, "eft": contract.BankTransfer, "e_transfer": contract.BankTransfer, "etransfer": contract.BankTransfer,
	"interac_e_transfer": contract.BankTransfer, "direct_deposit": contract.BankTransfer, "wire": contract.BankTransfer,
	"wire_transfer": contract.BankTransfer, "transfer": contract.BankTransfer, "ach": contract.BankTransfer,
	"insurance": contract.InsurerPays, "insurance_payment": contract.InsurerPays, "insurer_payment": contract.InsurerPays,
	"third_party": contract.InsurerPays,
	"credit":      contract.AccountCredit, "patient_credit": contract.AccountCredit, "on_account": contract.AccountCredit,
	"gift_card": contract.Gift, "gift_certificate": contract.Gift,
})

var adjustmentKinds = withNames(contract.AdjustmentKinds(), map[string]string{
	"writeoff": contract.WriteOff, "written_off": contract.WriteOff, "bad_debt": contract.WriteOff,
	"credit": contract.CreditMemo, "memo": contract.CreditMemo, "goodwill": contract.CreditMemo, "discount": contract.CreditMemo,
	"contractual_adjustment": contract.Contractual, "contractual_reduction": contract.Contractual, "insurer_adjustment": contract.Contractual,
	"reversed": contract.Reversal,
})

// PaymentKind reads the kind of a transaction. One that is not known is `other`: its amount moved all the same.
func PaymentKind(cell []byte) (string, Reason) {
	return orOther(paymentKinds, cell, contract.OtherPayment)
}

// PaymentMethod reads how a payment was made. A card's number or a cheque's must not be in the cell, and if one is it goes no
// further: what is not on the list is `other`.
func PaymentMethod(cell []byte) (string, Reason) { return orOther(methods, cell, contract.OtherMethod) }

// AdjustmentKind reads the kind of an adjustment; one that is not known is `other`.
func AdjustmentKind(cell []byte) (string, Reason) {
	return orOther(adjustmentKinds, cell, contract.OtherAdjustment)
}

// orOther reads one of a list of values, other where the cell holds none of them.
func orOther(known map[string]string, cell []byte, other string) (string, Reason) {
	value, reason := oneOf(known, cell, UnknownStatus)
	if reason == UnknownStatus {
		return other, ""
	}
	return value, reason
}

// InvoiceNumbers reads the invoice numbers in a list such as `1531-P01, 1540-P01`. What is none is left out and counted: it may
// be a name. `each` must not keep the number's memory.
func InvoiceNumbers(cell []byte, each func(Invoice)) (unread int) {
	for part := range bytes.FieldsFuncSeq(cell, func(r rune) bool { return r == ',' || r == ';' || r == '\n' || r == '\r' }) {
		part = bytes.TrimSpace(part)
		inv, reason := InvoiceNumber(part)
		switch {
		case reason == "":
			each(inv)
		case reason == Missing || bytes.EqualFold(part, []byte("unapplied")):
		default:
			unread++
		}
	}
	return unread
}
