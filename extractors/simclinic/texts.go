package simclinic

import "strings"

// Free text of the reports, each with a token in it. Commas, quotes, semicolons and line breaks are there to be quoted.
var (
	notePhrases = []string{
		"%: still sore on the left, worse in the morning", "Called twice, \"not before ten\" (%)", "% asks for the back room",
		"pain 6/10; see %", "Running late today.\nWrote to %", "brings referral, %",
	}
	reasonPhrases = []string{"Child has a fever, says %", "% - hospital appointment", "Told us: \"%\""}
	detailPhrases = []string{"Paid at the desk, receipt to %", "% / second copy", "Letter to %; no copy"}
	remarkPhrases = []string{"Waiting for form from %", "Spoke to %, resend by fax", "% says: not medically necessary"}
	asidePhrases  = []string{"Approved by phone (%)", "% wants a progress report", "Renewal sent to %"}
	planPhrases   = []string{"Extended health %", "% group plan", "Motor accident, file %"}
	recordPhrases = []string{"%: prefers to be called in the evening", "Left a message with %", "Allergic to tape, % knows"}
	findings      = []string{
		"Lumbar strain (M54.5), noted by %", "Rotator cuff tear (M75.1), %", "Concussion (S06.0), %", "Generalised anxiety (F41.1), %",
	}
)

// phrase puts a token into one of some phrases.
func (t tokens) phrase(phrases []string, space, n int) string {
	return strings.Replace(phrases[n%len(phrases)], "%", t.of(freeText, space+n), 1)
}

func (w *world) noteText(i int32) string {
	if !w.appointments[i].hasNote {
		return ""
	}
	return w.tokens.phrase(notePhrases, spaceNotes, int(i))
}

func (w *world) reasonText(i int32) string {
	switch reason := int(w.appointments[i].reason); {
	case reason == none:
		return ""
	case reason < len(reasons):
		return reasons[reason]
	default:
		return w.tokens.phrase(reasonPhrases, spaceReasons, int(i))
	}
}

func (w *world) detailText(i int32, p *part) string {
	if !p.hasDetail {
		return ""
	}
	return w.tokens.phrase(detailPhrases, spaceDetails, int(i))
}

func (w *world) remarkText(i int32) string {
	return w.tokens.phrase(remarkPhrases, spaceRemarks, int(i))
}
func (w *world) planText(i int) string  { return w.tokens.phrase(planPhrases, spacePlans, i) }
func (w *world) asideText(i int) string { return w.tokens.phrase(asidePhrases, spaceAsides, i) }

func (w *world) recordText(person int) string {
	return w.tokens.phrase(recordPhrases, spaceRecords, person)
}

func (w *world) diagnosisText(person int) string {
	return w.tokens.phrase(findings, spaceFindings, person)
}

func (w *world) areaCode() string { return countries[w.dials.Country].areaCode }
