// Package browser runs a Chromium that can reach one portal, ask it for what an allow-list names, and nothing else.
//
// It knows no page: what to open, and what to allow, its caller says (package jane). What it promises:
//
//   - No request but an allowed one leaves the browser. Two walls judge each, with the same rules: interception inside
//     the browser, for every tab, frame and worker before its first request; and behind it a forward proxy on loopback,
//     which is the browser's only way out. TLS ends in the proxy, with a key that lives as long as the session; it speaks
//     TLS 1.3 to the portal and verifies its certificate. What either wall stops is counted in a Ledger that names nobody.
//   - A refused request that could have changed something at the portal ends the session with ErrRefusedWrite, unless the
//     profile knows it as a habit of the application.
//   - What a clinic should know of (screens opened, reports run, files taken) is told by the proxy line by line, as Access.
//   - An export's bytes go from the network into our memory. The browser, which would save them, gets nothing.
//   - Nothing of what was browsed is written to a disk: cookies, storage and cache are in memory, and what Chromium writes
//     besides lies in a directory of the session's own, in memory too where the system has a tmpfs. The portal's lasting
//     cookies can be taken out as a State and given to the next session; its caller keeps them encrypted.
//   - A Snapshot for diagnosis shows how a page looked and nothing that it said.
//   - Close leaves no process and no directory. If our process is killed the browser ends with it, since it lives on a
//     pipe to us (and on Linux by the kernel's hand); the directory is then removed by the next session.
//
// A session goes like this:
//
//	session, err := browser.Start(ctx, browser.Config{Origin: origin, Rules: rules})
//	if err != nil { … }
//	defer session.Close()
//	page, err := session.Open(ctx)          // a rod.Page
//	session.Enter("sign in")                // rules of this stage count now
//	…
//	capture, err := session.Capture()       // the next export is ours
//	…click the link…
//	export, err := capture.Wait(ctx)
package browser
