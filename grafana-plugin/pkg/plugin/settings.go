package plugin

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/falloff-analytics/falloff/warehouse/identity/plugintoken"
)

// settings are what a person typed into the data source's configuration.
type settings struct {
	// base is the query server's address, without a trailing slash.
	base string
	// clinic is the one clinic that this data source may ask for; empty leaves it to each query.
	clinic string
	// signer signs for whoever is signed in to Grafana; secondFactor says that Grafana's sign-in enforces one.
	signer       *plugintoken.Signer
	secondFactor bool
	// service is a service token for what nobody is signed in for, such as alert rules; empty refuses those.
	service string
	// caCertificate and serverName are for a server whose certificate no public authority has signed.
	caCertificate, serverName string
}

// jsonData mirrors FalloffOptions in src/types.ts.
type jsonData struct {
	Clinic            string `json:"clinic"`
	SecondFactor      bool   `json:"secondFactor"`      //nolint:tagliatelle // as Grafana spells its settings
	TLSAuthWithCACert bool   `json:"tlsAuthWithCACert"` //nolint:tagliatelle // as Grafana spells its settings
	ServerName        string `json:"serverName"`        //nolint:tagliatelle // as Grafana spells its settings
}

// readSettings checks the settings. Its errors are problems with category settings or key.
func readSettings(instance backend.DataSourceInstanceSettings) (settings, error) {
	var stored jsonData
	if len(instance.JSONData) > 0 {
		if err := json.Unmarshal(instance.JSONData, &stored); err != nil {
			return settings{}, &problem{
				Category: categorySettings, Message: "The data source's settings cannot be read",
				Hint: "Save the data source again, or correct its provisioning file", cause: err,
			}
		}
	}
	s := settings{
		clinic: strings.TrimSpace(stored.Clinic), secondFactor: stored.SecondFactor,
		service: strings.TrimSpace(instance.DecryptedSecureJSONData["serviceToken"]),
	}
	if stored.TLSAuthWithCACert {
		s.caCertificate = instance.DecryptedSecureJSONData["tlsCACert"]
		s.serverName = stored.ServerName
	}
	base, err := readAddress(instance.URL)
	if err != nil {
		return settings{}, err
	}
	s.base = base
	if s.signer, err = readKey(instance.DecryptedSecureJSONData["pluginKey"]); err != nil {
		return settings{}, err
	}
	return s, nil
}

// readKey reads the key that plugin and query server share.
func readKey(text string) (*plugintoken.Signer, error) {
	const hint = "Enter the key that falloff token plugin-key prints"
	if strings.TrimSpace(text) == "" {
		return nil, &problem{Category: categoryKey, Message: "The plugin key is missing", Hint: hint}
	}
	key, err := plugintoken.ParseKey(text)
	if err != nil {
		return nil, &problem{Category: categoryKey, Message: "The plugin key cannot be read", Hint: hint}
	}
	signer, err := plugintoken.NewSigner(key, nil)
	if err != nil {
		return nil, &problem{Category: categoryKey, Message: "The plugin key cannot be used", Hint: hint}
	}
	return signer, nil
}

// readAddress takes https anywhere and plain http on this machine alone.
func readAddress(text string) (string, error) {
	wrong := func(message, hint string) (string, error) {
		return "", &problem{Category: categorySettings, Message: message, Hint: hint}
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return wrong("The query server's URL is missing", "Enter the address that falloff serve listens on, for example http://127.0.0.1:8750")
	}
	address, err := url.Parse(text)
	if err != nil || address.Hostname() == "" || address.User != nil || address.RawQuery != "" || address.Fragment != "" {
		return wrong("The query server's URL is not an address", "Enter scheme, host and port alone, for example https://falloff.example:8750")
	}
	switch {
	case address.Scheme == "https":
	case address.Scheme == "http" && isLoopback(address.Hostname()):
	case address.Scheme == "http":
		return wrong("Plain HTTP to another machine is refused", "Use https://, with falloff serve given a certificate, or an address on this machine")
	default:
		return wrong(fmt.Sprintf("The URL's scheme is %q", address.Scheme), "Use https://, or http:// on this machine")
	}
	return strings.TrimRight(address.String(), "/"), nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
