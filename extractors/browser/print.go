package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-rod/rod/lib/proto"
)

// Sheet is the paper that a page is printed on, in inches; margins are the page's own.
type Sheet struct{ Width, Height float64 }

// Print starts a browser, has it lay out a page of HTML, and gives the page as PDF: tagged, with an outline of its headings and, unless
// footer is empty, with that HTML at the foot of every sheet. The page gets nothing from anywhere: it has to hold whatever it shows, and
// what it asks for all the same is refused and an error. Of cfg only where the browser is, and for how long it is waited for, counts.
func Print(ctx context.Context, cfg Config, page []byte, sheet Sheet, footer string) (_ []byte, err error) {
	origin, err := ParseOrigin("https://print.invalid") // no name of that kind exists, and no rule allows it
	if err != nil {
		return nil, fmt.Errorf("printing: %w", err)
	}
	session, err := Start(ctx, Config{
		Origin: origin, Executable: cfg.Executable, Download: cfg.Download, ScratchParent: cfg.ScratchParent, StartTimeout: cfg.StartTimeout,
		flags: cfg.flags,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	tab, err := session.Open(ctx)
	if err != nil {
		return nil, err
	}
	tab = tab.Context(ctx)
	if err := tab.SetDocumentContent(string(page)); err != nil {
		return nil, session.cause(ctx, fmt.Errorf("loading the page to print: %w", err))
	}
	// A page is whole when everything that it asks for has come or was refused, and the fonts in it, which are decoded beside it, are there.
	if _, err := tab.Eval(`() => new Promise(done => {
		const loaded = () => document.fonts.ready.then(() => done(true))
		document.readyState === 'complete' ? loaded() : addEventListener('load', loaded, { once: true })
	})`); err != nil {
		return nil, session.cause(ctx, fmt.Errorf("waiting for the page to print: %w", err))
	}
	printed, err := proto.PagePrintToPDF{
		PaperWidth: &sheet.Width, PaperHeight: &sheet.Height, PreferCSSPageSize: false, PrintBackground: true,
		DisplayHeaderFooter: footer != "", HeaderTemplate: "<span></span>", FooterTemplate: footer,
		GenerateTaggedPDF: true, GenerateDocumentOutline: true,
	}.Call(tab)
	if err != nil {
		return nil, session.cause(ctx, fmt.Errorf("printing the page: %w", err))
	}
	// The other wall also counts what the browser asks for by itself.
	if refused := session.ledger.sum(func(e Entry) bool { return e.Wall == InBrowser && !e.Allowed }); refused > 0 {
		return nil, fmt.Errorf("printing: the page asked for %d things that are not in it", refused)
	}
	if !bytes.HasPrefix(printed.Data, []byte("%PDF-")) {
		return nil, errors.New("printing the page: the browser gave something that is no PDF")
	}
	return printed.Data, nil
}
