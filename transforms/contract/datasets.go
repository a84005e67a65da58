package contract

import "slices"

// Datasets lists every dataset, in the order in which documentation shows them.
func Datasets() []Dataset {
	return []Dataset{
		appointments(), invoiceLines(), payments(), appliedPayments(), claims(), policies(), shifts(), shiftPeriods(),
		adjustments(), writeOffs(), credits(), accountsReceivable(), unscheduledPatients(), portalActivity(), insurers(),
		accessLedger(), leakStates(), identities(),
	}
}

// Find gives the dataset of that name.
func Find(name string) (Dataset, bool) {
	all := Datasets()
	i := slices.IndexFunc(all, func(d Dataset) bool { return d.Name == name })
	if i < 0 {
		return Dataset{}, false
	}
	return all[i], true
}

// Stored lists the columns that are stored, in the order of the row struct.
func (d Dataset) Stored() []Column {
	return slices.DeleteFunc(slices.Clone(d.Columns), func(c Column) bool { return c.Sensitivity == Forbidden })
}

// Refused lists the headers that are known and whose cells are never read.
func (d Dataset) Refused() []Column {
	return slices.DeleteFunc(slices.Clone(d.Columns), func(c Column) bool { return c.Sensitivity != Forbidden })
}

// SQL types of stored columns.
const (
	typeText  = "VARCHAR"
	typeInt   = "INTEGER"
	typeBig   = "BIGINT"
	typeBool  = "BOOLEAN"
	typeDay   = "DATE"
	typeClock = "TIMESTAMP"
)

// The unit of every money column.
const unitCents = "cents"

// column starts the description of a stored column that the clinic's business is in.
func column(name, sqlType, meaning string, headers ...string) Column {
	return Column{Name: name, Type: sqlType, Sensitivity: Business, Headers: headers, Meaning: meaning}
}

func (c Column) required() Column            { c.Required = true; return c }
func (c Column) nullable() Column            { c.Nullable = true; return c }
func (c Column) as(s Sensitivity) Column     { c.Sensitivity = s; return c }
func (c Column) counting(unit string) Column { c.Unit = unit; return c }
func refused(header, meaning string) Column  { return refusedAs(meaning, header) }
func refusedAs(why string, h ...string) Column {
	return Column{Sensitivity: Forbidden, Headers: h, Meaning: why}
}

// observedOn is the last column of every dataset.
func observedOn() Column {
	return column("observed_on", typeDay, "Report date on which the row was seen in this form.").as(Public)
}

func appointments() Dataset {
	return Dataset{
		Name:   Appointments,
		Report: "appointments",
		Grain:  "one appointment of one patient; a group booking is a row for each seat, a break or empty slot a row without patient",
		Columns: []Column{
			column("appointment_id", typeBig, "The portal's own number of the appointment; a group's seats share it.", "id").required(),
			column("seat", typeInt, "0 for a single booking; the seats of a group count from 0."),
			column("patient", typeText, "Pseudonym of the patient; none for breaks and empty slots.", "patient_guid").required().nullable().as(Pseudonym),
			column("location", typeText, "Name of the clinic's location.", "location_name", "Location").required(),
			column("staff_member", typeText, "Name of the practitioner, or a pseudonym where clinic.yaml says so.", "staff_member_name", "Staff Member").required(),
			column("treatment", typeText, "Name of the treatment, as the price list has it.", "treatment_name", "Treatment").required(),
			column("state", typeText, "booked, arrived, cancelled, no_show, rescheduled, archived or never_booked.", "state").required(),
			column("service_date", typeDay, "Local day of the start."),
			column("starts_at", typeClock, "Start, UTC.", "start_at").required(),
			column("ends_at", typeClock, "End, UTC.", "end_at").required(),
			column("time_zone", typeText, "The clinic's zone, in which service_date is a day.").as(Public),
			column("first_visit", typeBool, "Whether the source calls it the patient's first visit at the clinic.", "first_visit").nullable(),
			column("booked_at", typeClock, "When it was booked, UTC.", "booked_at").required().nullable(),
			column("arrived_at", typeClock, "When staff marked it arrived, UTC; may outlive an un-arrival.", "arrived_at").required().nullable(),
			column("cancelled_at", typeClock, "When it was cancelled, UTC; may outlive an un-cancellation.", "cancelled_at").required().nullable(),
			column("booked_online", typeBool, "Whether the patient booked it online.", "booked_online").nullable(),
			column("cancelled_reason", typeText, "Reason of the cancellation, one of a fixed list.", "cancelled_reason").nullable(),
			observedOn(),
			refused("patient_number", "identifies the patient"),
			refused("patient_first_name", "names the patient"),
			refused("patient_preferred_name", "names the patient"),
			refused("patient_last_name", "names the patient"),
			refused("chart_status", "speaks about the chart"),
			refused("notes_text", "free text, may be clinical"),
			refused("insurance_state", "not needed"),
		},
	}
}

func invoiceLines() Dataset {
	return Dataset{
		Name:   InvoiceLines,
		Report: "sales",
		Grain:  "one line of one invoice to one payer",
		Columns: []Column{
			column("invoice_number", typeText, "Number as printed: base, side and sequence.", "Invoice #", "Invoice Number").required(),
			column("invoice_base", typeText, "The part that the patient's and the insurers' invoices of one visit share."),
			column("invoice_side", typeText, "P the patient's, C an insurer's, empty where the number has none."),
			column("invoice_sequence", typeInt, "Counts the editions of an invoice; 0 where the number has none."),
			column("is_reversal", typeBool, "Whether the line takes back an earlier one (suffix X)."),
			column("item", typeText, "What was sold: a treatment, fee, package or product.", "Item").required(),
			column("ordinal", typeInt, "Counts lines of one invoice with the same item from 0, in the order of their content."),
			column("purchase_date", typeDay, "Local day of the service or sale.", "Purchase Date").required(),
			column("invoice_date", typeDay, "Local day of the invoice.", "Invoice Date").required(),
			column("patient", typeText, "Pseudonym of the patient.", "Patient Guid").required().as(Pseudonym),
			column("staff_member", typeText, "Name of the practitioner, or a pseudonym where clinic.yaml says so; empty for a sale without one.", "Staff Member").required(),
			column("location", typeText, "Name of the clinic's location.", "Location").required(),
			column("payer_kind", typeText, "person or insurer.", "Payer").required(),
			column("payer_id", typeText, "Pseudonym of the insurer; none where a person pays.").nullable().as(Pseudonym),
			column("is_prepay", typeBool, "Courtesy claim: the patient has paid the whole price already."),
			column("income_category", typeText, "The clinic's income category.", "Income Category").required(),
			column("status", typeText, "paid, unpaid, partially_paid, no_charge or other.", "Status").required(),
			column("subtotal_cents", typeBig, "Before tax.", "Subtotal").required().counting(unitCents),
			column("tax_cents", typeBig, "Total less subtotal; the tax column under the clinic's tax name is checked against it.",
				"Sales Tax", "Tax", "HST", "GST", "PST", "QST", "VAT").counting(unitCents),
			column("total_cents", typeBig, "Tax included.", "Total").required().counting(unitCents),
			column("collected_cents", typeBig, "Received by the report date.", "Collected").required().counting(unitCents),
			column("balance_cents", typeBig, "Open at the report date.", "Balance").required().counting(unitCents),
			column("currency", typeText, "ISO 4217 code of all amounts.").as(Public),
			observedOn(),
			refused("Patient", "names the patient"),
			refused("Details", "free text, may be clinical"),
			refused("Notes", "free text, may be clinical"),
		},
	}
}

func claims() Dataset {
	return Dataset{
		Name:   Claims,
		Report: "claims",
		Grain:  "one submission of an insurer's invoice; a resubmission is another row",
		Columns: []Column{
			column("claim_id", typeText, "Pseudonym of the claim's number.", "Claim Id").required().as(Pseudonym),
			column("invoice_number", typeText, "The insurer's invoice that is claimed.", "Invoice #", "Invoice Number").required(),
			column("patient", typeText, "Pseudonym of the patient.", "Patient Guid").required().as(Pseudonym),
			column("payer_id", typeText, "Pseudonym of the insurer.", "Insurer").required().as(Pseudonym),
			column("policy_id", typeText, "Pseudonym of the policy number.", "Policy #", "Policy Number").nullable().as(Pseudonym),
			column("service_date", typeDay, "Local day of the service.", "Service Date").required(),
			column("folder", typeText, "Where the claim stands.", "Folder").required(),
			column("submitted_on", typeDay, "Day of the submission; none while it is not sent.", "Submitted Date").required().nullable(),
			column("responded_on", typeDay, "Day of the answer, a rejection included.", "Response Date").required().nullable(),
			column("claimed_cents", typeBig, "Claimed.", "Claimed").nullable().counting(unitCents),
			column("approved_cents", typeBig, "Approved.", "Approved").nullable().counting(unitCents),
			observedOn(),
			refused("Patient", "names the patient"),
			refused("Adjuster", "names a person"),
			refused("Notes", "free text, may be clinical"),
		},
	}
}

func policies() Dataset {
	return Dataset{
		Name:   Policies,
		Report: "insurance_policies",
		Grain:  "one insurance policy of one patient with one insurer, as last seen",
		Columns: []Column{
			column("patient", typeText, "Pseudonym of the patient.", "Patient Guid").required().as(Pseudonym),
			column("payer_id", typeText, "Pseudonym of the insurer; a policy that names several is a row for each.", "Insurer(s)", "Insurers", "Insurer").required().as(Pseudonym),
			column("policy_id", typeText, "Pseudonym of the policy number; a patient's policies of one insurer without a number share one.", "Policy #", "Policy Number").required().as(Pseudonym),
			column("status", typeText, "open, awaiting_review or closed.", "Status").required(),
			column("end_date", typeDay, "Last day of cover; none where it is open.", "End Date").required().nullable(),
			column("treatments_used", typeInt, "Treatments billed to it so far, those beyond the maximum included.", "Number of Treatments").nullable().counting("treatments"),
			column("max_treatments", typeInt, "Treatments that it covers.", "Max Treatments").nullable().counting("treatments"),
			column("policy_maximum_cents", typeBig, "Money that it covers.", "Policy Maximum").nullable().counting(unitCents),
			observedOn(),
			refused("Patient", "names the patient"),
			refused("Name", "free text, may name a person"),
			refused("Claim #", "not needed"),
			refused("Adjuster", "names a person"),
			refused("Next Appointment", "not needed"),
			refused("Notes", "free text, may be clinical"),
		},
	}
}

func shifts() Dataset {
	return Dataset{
		Name:    Shifts,
		Report:  "shift",
		Grain:   "the hours of one staff member on one day",
		Columns: hours(),
	}
}

func shiftPeriods() Dataset {
	d := Dataset{
		Name:  ShiftPeriods,
		Grain: "the hours of one staff member over a period longer than a day, from an hours report of that period",
	}
	for _, c := range hours() {
		// The hours report is read as one; how long its period is decides where a row belongs.
		c.Headers, c.Required = nil, false
		d.Columns = append(d.Columns, c)
	}
	return d
}

// hours are the columns of the hours report.
func hours() []Column {
	return []Column{
		column("staff_member", typeText, "Name of the practitioner, or a pseudonym where clinic.yaml says so.", "Staff Name", "Staff Member").required(),
		column("period_from", typeDay, "First day of the period, from the file's name or its `Date range:` row."),
		column("period_to", typeDay, "Last day of the period."),
		column("shift_minutes", typeBig, "Scheduled to work.", "Shift Total Hours").required().counting("minutes"),
		column("break_minutes", typeBig, "Breaks within that.", "Break Total Hours").required().counting("minutes"),
		column("booked_minutes", typeBig, "Booked with appointments.", "Appointment Total Hours").required().counting("minutes"),
		column("booked_count", typeBig, "Appointments booked.", "Appointment Total Count").required().counting("appointments"),
		observedOn(),
	}
}

func insurers() Dataset {
	return Dataset{
		Name:  Insurers,
		Grain: "one insurer that at least three patients have, with its name; derived, no report prints it",
		Columns: []Column{
			column("payer_id", typeText, "Pseudonym of the insurer.").as(Pseudonym),
			column("name", typeText, "Its name, as claims, policies or clinic.yaml print it."),
			observedOn(),
		},
	}
}
