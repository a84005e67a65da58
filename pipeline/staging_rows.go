package pipeline

import (
	"github.com/falloff-analytics/falloff/transforms"
	"github.com/falloff-analytics/falloff/transforms/contract"
	"github.com/falloff-analytics/falloff/warehouse/lake"
)

// A section takes one kind of row of a batch to the staging and back, as the lake encodes it.
type section interface {
	name() string
	// encode gives the batch's rows, nil where there are none.
	encode(b *transforms.Batch) ([]byte, error)
	decode(b *transforms.Batch, body []byte) error
	// clear takes the rows out of a batch.
	clear(b *transforms.Batch)
}

// sections are all kinds of row that a batch can hold.
var sections = []section{
	rowsOf[contract.Appointment]{lake.Appointments, func(b *transforms.Batch) *[]contract.Appointment { return &b.Appointments }},
	rowsOf[contract.InvoiceLine]{lake.InvoiceLines, func(b *transforms.Batch) *[]contract.InvoiceLine { return &b.InvoiceLines }},
	rowsOf[contract.Claim]{lake.Claims, func(b *transforms.Batch) *[]contract.Claim { return &b.Claims }},
	rowsOf[contract.Policy]{lake.Policies, func(b *transforms.Batch) *[]contract.Policy { return &b.Policies }},
	rowsOf[contract.Shift]{lake.Shifts, func(b *transforms.Batch) *[]contract.Shift { return &b.Shifts }},
	rowsOf[contract.Payment]{lake.Payments, func(b *transforms.Batch) *[]contract.Payment { return &b.Payments }},
	rowsOf[contract.AppliedPayment]{lake.AppliedPayments, func(b *transforms.Batch) *[]contract.AppliedPayment { return &b.AppliedPayments }},
	rowsOf[contract.Adjustment]{lake.Adjustments, func(b *transforms.Batch) *[]contract.Adjustment { return &b.Adjustments }},
	rowsOf[contract.Credit]{lake.Credits, func(b *transforms.Batch) *[]contract.Credit { return &b.Credits }},
	rowsOf[contract.Receivable]{lake.AccountsReceivable, func(b *transforms.Batch) *[]contract.Receivable { return &b.Receivables }},
	rowsOf[contract.UnscheduledPatient]{lake.UnscheduledPatients, func(b *transforms.Batch) *[]contract.UnscheduledPatient { return &b.Unscheduled }},
	rowsOf[contract.Activity]{lake.PortalActivity, func(b *transforms.Batch) *[]contract.Activity { return &b.Activity }},
	rowsOf[contract.Identified]{lake.Identities, func(b *transforms.Batch) *[]contract.Identified { return &b.Identities }},
}

type rowsOf[T contract.Row] struct {
	table lake.Table[T]
	rows  func(*transforms.Batch) *[]T
}

func (s rowsOf[T]) name() string { return s.table.Name() }

func (s rowsOf[T]) encode(b *transforms.Batch) ([]byte, error) {
	if len(*s.rows(b)) == 0 {
		return nil, nil
	}
	return s.table.Encode(*s.rows(b))
}

func (s rowsOf[T]) decode(b *transforms.Batch, body []byte) error {
	rows, err := s.table.Decode(body)
	if err == nil {
		*s.rows(b) = rows
	}
	return err
}

func (s rowsOf[T]) clear(b *transforms.Batch) { *s.rows(b) = nil }
