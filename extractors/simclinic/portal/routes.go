package portal

import "net/http"

func (p *Portal) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler("/admin", http.StatusFound))
	mux.HandleFunc("GET /admin", p.showApp)
	mux.HandleFunc("GET /assets/app.js", p.showAsset("text/javascript; charset=utf-8", p.script))
	mux.HandleFunc("GET /assets/app.css", p.showAsset("text/css; charset=utf-8", p.style))

	mux.HandleFunc("POST /api/session", p.changing(p.signIn))
	mux.HandleFunc("POST /api/session/code", p.changing(p.takeCode))
	mux.HandleFunc("DELETE /api/session", p.changing(p.signOut))
	mux.HandleFunc("GET /api/account", p.showAccount)
	mux.HandleFunc("GET /api/filters", p.showFilters)
	mux.HandleFunc("PUT /api/filters", p.changing(p.setFilters))
	mux.HandleFunc("GET /api/reports/{report}", p.showReport)
	mux.HandleFunc("GET /api/activity", p.showActivity)
	mux.HandleFunc("POST /api/exports", p.changing(p.startExport))
	mux.HandleFunc("GET /downloads/{name}", p.showDownload)
	mux.HandleFunc("GET /downloads/{name}/status", p.showDownloadStatus)
	mux.HandleFunc("GET /downloads/{name}/preview", p.showPreview)

	mux.HandleFunc("GET /api/schedule", p.showSchedule)
	mux.HandleFunc("POST /api/payments", p.changing(p.recordPayment))
	mux.HandleFunc("POST /api/telemetry", p.takeTelemetry)
	mux.HandleFunc("GET /cable", p.showCable)
	mux.HandleFunc("GET /api/patients/{id}/photo", p.showPhoto)
	for _, root := range []string{"/api", "/admin"} {
		mux.HandleFunc("GET "+root+"/patients", p.recordList(seePatientList, "Patient list", patientRecord))
		mux.HandleFunc("GET "+root+"/patients/{id}", p.oneRecord(seePatients, "Patient", patientRecord))
		mux.HandleFunc("GET "+root+"/chart_entries", p.recordList(seeCharts, "Chart entries", chartRecord))
		mux.HandleFunc("GET "+root+"/chart_entries/{id}", p.oneRecord(seeCharts, "Chart entry", chartRecord))
		mux.HandleFunc("GET "+root+"/documents", p.recordList(seeCharts, "Documents", documentRecord))
		mux.HandleFunc("GET "+root+"/documents/{id}", p.oneRecord(seeCharts, "Document", documentRecord))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { p.refuse(w, r, refusedUnknown) })
	return p.observe(mux)
}
