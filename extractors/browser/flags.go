package browser

import (
	"os"
	"strings"
)

// arguments are Chromium's flags. Each group says what it is for.
func arguments(s *scratch, proxy string, unsandboxed bool, trusted []string) []string {
	args := []string{
		// How we drive it.
		"--headless",
		"--remote-debugging-pipe",
		"--no-startup-window",
		"--window-size=1280,1024",
		"--lang=en-US",
		"--mute-audio",
		"--hide-scrollbars",
		"--disable-gpu",

		// What it writes, and where: nothing outside the scratch directory, and there as little as can be. With
		// --incognito cookies, storage and cache are in memory; but naming a directory for the cache, whatever the
		// other flags say, brings the cache back to disk.
		"--incognito",
		"--user-data-dir=" + s.path("profile"),
		"--disk-cache-size=1",
		"--media-cache-size=1",
		"--crash-dumps-dir=" + s.path("t"),
		"--disable-breakpad",
		"--disable-crash-reporter",
		"--disable-logging",
		"--log-level=3",
		"--password-store=basic",
		"--use-mock-keychain",

		// Where it can connect: to our proxy, and nowhere else. It resolves no name, not even the portal's: that the
		// proxy does.
		"--proxy-server=http://" + proxy,
		"--proxy-bypass-list=<-loopback>",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
		"--disable-quic",
		// The headless shell knows one of these two, the full browser the other.
		"--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
		"--webrtc-ip-handling-policy=disable_non_proxied_udp",
		"--dns-prefetch-disable",
		"--no-pings",

		// What it does of its own accord: nothing.
		"--no-first-run",
		"--no-default-browser-check",
		"--no-service-autorun",
		"--disable-background-networking",
		"--disable-client-side-phishing-detection",
		"--disable-component-extensions-with-background-pages",
		"--disable-component-update",
		"--disable-default-apps",
		"--disable-domain-reliability",
		"--disable-extensions",
		"--disable-field-trial-config",
		"--disable-notifications",
		"--disable-search-engine-choice-screen",
		"--disable-speech-api",
		"--disable-sync",
		"--metrics-recording-only",
		"--disable-features=" + strings.Join([]string{
			"AutofillServerCommunication", "CertificateTransparencyComponentUpdater", "DialMediaRouteProvider",
			"InterestFeedContentSuggestions", "MediaRouter", "OptimizationHints", "Translate",
		}, ","),

		// What a page must be able to do in a tab that is not in front, or without a person's click.
		"--disable-backgrounding-occluded-windows",
		"--disable-background-timer-throttling",
		"--disable-renderer-backgrounding",
		"--disable-hang-monitor",
		"--disable-popup-blocking",
		"--disable-prompt-on-repost",
	}
	if unsandboxed {
		args = append(args, "--no-sandbox")
	}
	if len(trusted) > 0 {
		args = append(args, "--ignore-certificate-errors-spki-list="+strings.Join(trusted, ","))
	}
	return args
}

// sandboxUnavailable reports whether Chromium could not start with its sandbox: as root, and in containers, which
// seldom allow the user namespaces that the sandbox is made of.
func sandboxUnavailable() bool {
	if os.Geteuid() == 0 || os.Getenv("KUBERNETES_SERVICE_HOST") != "" {
		return true
	}
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	return false
}

// environment is what Chromium gets to see of ours: what it needs to find libraries and fonts, no credential that may
// stand there, and directories of its own to write to.
func environment(s *scratch) []string {
	env := []string{
		"HOME=" + s.path("home"),
		"TMPDIR=" + s.path("t"),
		"XDG_CONFIG_HOME=" + s.path("home"),
		"XDG_CACHE_HOME=" + s.path("home"),
		"XDG_DATA_HOME=" + s.path("home"),
		"XDG_RUNTIME_DIR=" + s.path("t"),
		"DBUS_SESSION_BUS_ADDRESS=disabled:",
		"DBUS_SYSTEM_BUS_ADDRESS=disabled:",
	}
	for _, name := range []string{"PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "FONTCONFIG_FILE", "FONTCONFIG_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
