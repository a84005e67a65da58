package normalise

import (
	"regexp"
	"strings"

	"github.com/falloff-analytics/falloff/transforms/contract"
)

// Activity is a line of the portal's activity log, without any of its own words.
type Activity struct {
	// Action and Subject are of the contract's lists; Subject is empty where the line names none.
	Action, Subject string
	// From and To are the report's range as it is printed, empty where there is none.
	From, To string
}

// actionWords begin a line, the longer before the shorter.
var actionWords = []struct{ words, action string }{
	{"signed in", contract.SignedIn}, {"asked for a code", contract.CodeAsked}, {"refused sign-in", contract.Refused},
	{"signed out", contract.SignedOut}, {"refused", contract.Refused}, {"opened", contract.Opened},
	{"ran report", contract.Ran}, {"ran", contract.Ran}, {"exported", contract.Exported}, {"previewed", contract.Previewed},
	{"downloaded", contract.Downloaded}, {"recorded payment", contract.Recorded}, {"recorded", contract.Recorded},
}

// subjects are the screens and reports as lines name them, in lower case. Reports go by slug and by title.
var subjects = withReports(map[string]string{
	"hours scheduled and booked": "shift", "hours": "shift", "claim submissions": "claims", "insurance policies": "insurance_policies",
	"applied and unapplied payments": "applied_unapplied_payments", "write-offs": "write_off", "credits": "credit",
	"accounts receivable": "accounts_receivable", "unscheduled patients": "unscheduled_patients", "activity log": "activity",
	"account settings": contract.SubjectAccount, "account": contract.SubjectAccount, "schedule": contract.SubjectSchedule,
	"patient list": contract.SubjectPatients, "patient": contract.SubjectPatients, "chart entries": contract.SubjectCharts,
	"chart entry": contract.SubjectCharts, "documents": contract.SubjectDocs, "document": contract.SubjectDocs,
})

// withReports adds every report under its slug, with underscores and with spaces.
func withReports(names map[string]string) map[string]string {
	for _, d := range contract.Datasets() {
		if d.Report != "" {
			names[d.Report] = d.Report
			names[strings.ReplaceAll(d.Report, "_", " ")] = d.Report
		}
	}
	return names
}

var (
	pageOf      = regexp.MustCompile(`^page \d+ of `)
	rangeOf     = regexp.MustCompile(` for (\d{4}[-/]\d\d[-/]\d\d) to (\d{4}[-/]\d\d[-/]\d\d)(?: |$)`)
	namedAsFile = regexp.MustCompile(`^([^ ]*)_(\d{4})(\d\d)(\d\d)_(\d{4})(\d\d)(\d\d)\.[a-z]+$`)
)

// ActivityPhrase reads a line of the activity log: `Ran report Sales for 2026-09-01 to 2026-09-30 at North`. A subject that
// is not on the list is `other`, and so is an action: what else stands there may be anybody's name.
func ActivityPhrase(cell []byte) (Activity, Reason) {
	line := strings.Join(strings.Fields(strings.ToLower(string(cell))), " ")
	if line == "" {
		return Activity{}, Missing
	}
	a := Activity{Action: contract.OtherAction, Subject: contract.OtherSubject}
	rest := line
	for _, known := range actionWords {
		if after, ok := strings.CutPrefix(line, known.words); ok && (after == "" || after[0] == ' ' || after[0] == ',') {
			a.Action, rest = known.action, strings.TrimSpace(after)
			break
		}
	}
	if rest == "" || rest[0] == ',' { // `Refused sign-in, wrong password`: why does not matter
		a.Subject = ""
		return a, ""
	}
	if m := rangeOf.FindStringSubmatch(rest); m != nil {
		a.From, a.To = m[1], m[2]
	}
	if m := namedAsFile.FindStringSubmatch(rest); m != nil {
		a.From, a.To = m[2]+"-"+m[3]+"-"+m[4], m[5]+"-"+m[6]+"-"+m[7]
	}
	a.Subject = subjectOf(pageOf.ReplaceAllString(rest, ""))
	return a, ""
}

// subjectOf finds the longest known subject at the start of a text, or the report in a file's name.
func subjectOf(text string) string {
	best, found := "", contract.OtherSubject
	for words, subject := range subjects {
		after, ok := strings.CutPrefix(text, words)
		if ok && len(words) > len(best) && (after == "" || after[0] == ' ') {
			best, found = words, subject
		}
	}
	file := namedAsFile.FindStringSubmatch(text)
	if best != "" || file == nil {
		return found
	}
	// The clinic, the report, the range: the report is the longest name that the rest ends with.
	for words, subject := range subjects {
		if len(words) > len(best) && strings.HasSuffix(file[1], "_"+words) {
			best, found = words, subject
		}
	}
	return found
}
