package contract

// The datasets of who was not seen again, and of who looked at what.

func unscheduledPatients() Dataset {
	return Dataset{
		Name:   UnscheduledPatients,
		Report: "unscheduled_patients",
		Grain:  "one patient who has been seen and has no booking ahead, in one discipline where the report tells; discharged patients are left out of it",
		Columns: []Column{
			column("patient", typeText, "Pseudonym of the patient.", "Patient Guid").required().as(Pseudonym),
			column("discipline", typeText, "The discipline they were seen in; empty where the report does not say.", "Discipline"),
			column("last_visit_on", typeDay, "Local day of their last visit.", "Last Visit", "Last Appointment").required().nullable(),
			observedOn(),
			refused("Patient", "names the patient"),
			refused("Phone", "a way to reach the patient"),
			refusedAs("a way to reach the patient", "E-mail", "Email"),
			refused("Notes", "free text, may be clinical"),
		},
	}
}

func portalActivity() Dataset {
	return Dataset{
		Name:   PortalActivity,
		Report: ActivityReport,
		Grain:  "one line of the portal's activity log about our own account; lines about others are counted and not read",
		Columns: []Column{
			column("at", typeClock, "When, UTC.", "Time").required(),
			column("occurred_on", typeDay, "Local day of it."),
			column("account", typeText, "Pseudonym of our account's name.", "Staff Member", "User").required().as(Pseudonym),
			column("action", typeText, "signed_in, code_asked, signed_out, refused, opened, ran, exported, previewed, downloaded, recorded or other.", "Activity", "Action").required(),
			column("subject", typeText, "The report or screen, one of a fixed list, else other; empty for signing in and out."),
			column("range_from", typeDay, "First day of the report's range.").nullable(),
			column("range_to", typeDay, "Last day of it.").nullable(),
			column("rows", typeBig, "Rows of the report.", "Rows").nullable().counting("rows"),
			column("ordinal", typeInt, "Counts equal lines of one instant from 0."),
			observedOn(),
			refused("Patient", "names the patient"),
			refused("IP Address", "an address of a machine"),
		},
	}
}

func accessLedger() Dataset {
	return Dataset{
		Name:  AccessLedger,
		Grain: "one thing that a run did in the portal: a screen opened, a report run or exported; we write it, no report prints it",
		Columns: []Column{
			column("run_id", typeText, "The run.").as(Public),
			column("line", typeBig, "Counts the run's lines from 1.").as(Public),
			column("at", typeClock, "When, UTC.").as(Public),
			column("occurred_on", typeDay, "Local day of it.").as(Public),
			column("action", typeText, "What was done, in portal_activity's words.").as(Public),
			column("subject", typeText, "The report or screen, in portal_activity's words.").as(Public),
			column("route", typeText, "The screen's route, or the request's path with its identifiers left out.").as(Public),
			column("range_from", typeDay, "First day that was asked for.").nullable().as(Public),
			column("range_to", typeDay, "Last day that was asked for.").nullable().as(Public),
			column("rows", typeBig, "Rows that the screen or file had.").nullable().as(Public).counting("rows"),
			column("bytes", typeBig, "Bytes of the file.").nullable().as(Public).counting("bytes"),
			column("status", typeInt, "HTTP status of the answer.").nullable().as(Public),
			column("outcome", typeText, "done, or the cause of the failure.").as(Public),
			observedOn(),
		},
	}
}

func identities() Dataset {
	return Dataset{
		Name:  Identities,
		Grain: "one patient whose name may be shown; there only in the clinic's recovery mode, from the appointments report",
		Columns: []Column{
			column("patient", typeText, "Pseudonym of the patient.").as(Pseudonym),
			column("first_name", typeText, "First name.").as(Identity),
			column("patient_guid", typeText, "The portal's own identifier of the patient.").as(Identity),
			observedOn(),
		},
	}
}
