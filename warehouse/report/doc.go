// Package report makes a clinic's monthly report: one file for people who open no dashboard.
//
// A report asks named queries as the person whom it is for (Ask), through the query server's one door, so that it shows what a dashboard
// would show them and nothing else: what they may not see is left out and said so, what is withheld is said to be. It holds sums and
// counts alone, no row about a single patient.
//
// A report is made as a document, a structure of sections, tables and figures, in English or Canadian French; one template makes
// it a page of HTML that needs nothing from anywhere: style, fonts and charts are in it. A PDF is that page, printed by a browser that the
// caller brings (Print).
package report
