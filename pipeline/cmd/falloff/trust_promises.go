package main

import "strings"

// A promise is one that the product makes, and what anybody can run to see it kept.
type promise struct {
	id, text string
	// commands and tests show it; both empty where this version does not keep it yet.
	commands, tests []string
	note            string
}

// promises are those that concern access. A test looks that every test and command named here exists.
var promises = []promise{
	{"C1", "One dedicated staff account with the billing level; a run proves first that it works and may do no more.",
		[]string{"falloff run"}, []string{"TestAccess", "TestReadsEveryReport"}, ""},
	{"C2", "Read-only: only listed requests leave, everything else is stopped before and counted.",
		[]string{"falloff run", "falloff trust"}, []string{"TestHostilePages", "TestProxyAlone", "TestReadsEveryReport"}, ""},
	{"C3", "No secret in a settings file, a process list, a log or an error.", []string{"falloff run --password-file"}, []string{"TestCredentialsPrintAsRedacted"}, ""},
	{"C4", "When the account is switched off the run stops and nothing half-lands.", []string{"falloff run"}, []string{"TestScripts/run"}, ""},
	{"C5", "Every request is counted by purpose, those refused by name.", []string{"falloff run"}, []string{"TestReadsEveryReport"}, ""},
	{"C6", "No API key, webhook or application is needed from the clinic.", []string{"falloff run"}, []string{"TestScripts/run"}, ""},
	{"C7", "What is read is what this page lists.", []string{"falloff trust"}, []string{"TestTrustStatementIsFresh", "TestReadSimulatedExports"}, ""},
	{"C8", "Notes, contact data, diagnoses, card data, photos and documents are never kept, stored or sent.",
		[]string{"falloff trust"}, []string{"TestScripts/run", "TestReadSimulatedExports"}, "planted names, numbers and notes are searched for in every byte that is written"},
	{"C14", "Pause and resume at any moment.", nil, nil, ""},
	{"C18", "This page is generated from the program's own lists.", []string{"falloff trust"}, []string{"TestTrustStatementIsFresh"}, ""},
	{"J1", "A wrong address gets an error that says what to type.", []string{"falloff run"}, []string{"TestParseAddress"}, ""},
	{"J4", "An account that can open charts, or holds full access, is refused.", []string{"falloff run"}, []string{"TestAccess"}, ""},
	{"J6", "The portal's own activity report is compared with what we did.", nil, nil, ""},
	{"J9", "Access is reported by person.", nil, nil, ""},
	{"K7", "The portal's second factor is answered.", nil, nil, ""},
	{"K11", "A sign-in to a real portal starts only after the agreement was accepted.", []string{"falloff run"}, []string{"TestScripts/run_refusals"}, ""},
	{"K14", "Logs and errors carry no identity and no credential.", []string{"falloff run"}, []string{"TestScripts/run", "TestCredentialsPrintAsRedacted"}, ""},
}

func (s *statement) promises() {
	s.paragraphf("## What is promised, and what shows it")
	s.paragraphf("`go test ./... -run <name>` runs a test. `falloff simclinic serve` is a portal to try the commands on.")
	s.head("promise", "in words", "see it with", "tested by")
	for _, p := range promises {
		text := p.text
		if p.note != "" {
			text += " (" + p.note + ")"
		}
		commands, tests := strings.ReplaceAll(list(p.commands), ", ", "<br>"), strings.ReplaceAll(list(p.tests), ", ", "<br>")
		if len(p.commands)+len(p.tests) == 0 {
			commands, tests = "not in this version yet", "–"
		}
		s.row(p.id, text, commands, tests)
	}
	s.WriteString("\n")
}
