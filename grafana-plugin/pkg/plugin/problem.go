package plugin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// category names what went wrong, so that a person can be told what to do and a program can tell cases apart.
type category string

// Categories of problems.
const (
	categorySettings    category = "settings"
	categoryKey         category = "key"
	categoryPerson      category = "person"
	categoryPermission  category = "permission"
	categoryName        category = "name_unresolved"
	categoryUnreachable category = "unreachable"
	categoryTLS         category = "tls"
	categoryTimeout     category = "timeout"
	categoryNotFalloff  category = "not_a_query_server"
	categoryClinic      category = "clinic"
	categoryQuery       category = "query"
	categorySnapshot    category = "snapshot"
	categoryServer      category = "server"
)

// problem is an error with a category, a sentence, and what to do about it. Message and Hint may be shown to anyone who
// sees the data source; the cause goes to the log.
type problem struct {
	Category category
	Message  string
	Hint     string
	// status is what the query answers with.
	status backend.Status
	cause  error
}

func (p *problem) Error() string {
	if p.Hint == "" {
		return p.Message
	}
	return fmt.Sprintf("%s. %s.", p.Message, p.Hint)
}

// Unwrap gives the cause.
func (p *problem) Unwrap() error { return p.cause }

// problemOf finds the problem in an error, or makes one of it.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	return &problem{Category: categoryServer, Message: "The request failed", Hint: "The plugin's log says why", cause: err}
}

// unreached says why no answer came.
func unreached(err error) *problem {
	var (
		name      *net.DNSError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		alert     tls.AlertError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return &problem{Category: categoryTimeout, Message: "The request was cancelled", status: backend.StatusTimeout, cause: err}
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return &problem{
			Category: categoryTimeout, Message: "The query server took too long to answer",
			Hint: "Look whether it is busy, or narrow the time range", status: backend.StatusTimeout, cause: err,
		}
	case errors.As(err, &name):
		return &problem{
			Category: categoryName, Message: "The query server's host name is not known",
			Hint: "Check the URL's host", status: backend.StatusBadGateway, cause: err,
		}
	case errors.As(err, &authority), errors.As(err, &hostname), errors.As(err, &invalid):
		return &problem{
			Category: categoryTLS, Message: "The query server's certificate is not trusted",
			Hint: "Give its certificate authority under TLS, or correct the server name", status: backend.StatusBadGateway, cause: err,
		}
	case errors.As(err, &alert), errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return &problem{
			Category: categoryTLS, Message: "TLS 1.3 could not be agreed with the query server",
			Hint: "Check that the URL's scheme fits the server, and that nothing between speaks an older TLS", status: backend.StatusBadGateway, cause: err,
		}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &problem{
			Category: categoryUnreachable, Message: "Nothing listens at the query server's address",
			Hint: "Start falloff serve, and check the URL's port", status: backend.StatusBadGateway, cause: err,
		}
	default:
		return &problem{
			Category: categoryUnreachable, Message: "The query server cannot be reached",
			Hint: "Check the URL, and that this machine may connect to it", status: backend.StatusBadGateway, cause: err,
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// told is the query server's own error.
type told struct {
	Error string `json:"error"`
	Hint  string `json:"hint"`
	Code  string `json:"code"`
}

// refused makes a problem of what the query server answered.
func refused(status int, answer told) *problem {
	p := &problem{Message: capital(answer.Error), Hint: capital(answer.Hint), status: backend.Status(status)}
	switch {
	case answer.Code == "":
		return &problem{
			Category: categoryNotFalloff, Message: fmt.Sprintf("What listens at the address is no query server: it answered with status %d", status),
			Hint: "Check the URL's port", status: backend.StatusBadGateway,
		}
	case status == http.StatusUnauthorized:
		p.Category = categoryPerson
		if answer.Code == "unknown_key" || answer.Code == "bad_signature" {
			p.Category, p.Message, p.Hint = categoryKey, "The query server refuses the plugin key", "Enter the key that falloff token plugin-key prints"
		}
		// Grafana takes 401 for the person's own session.
		p.status = backend.StatusBadGateway
	case status == http.StatusForbidden:
		p.Category = categoryPermission
	case answer.Code == "unknown_clinic":
		p.Category, p.Hint = categoryClinic, "Choose one of the clinics that the query server lists"
	case answer.Code == "unavailable":
		p.Category = categorySnapshot
	case answer.Code == "timeout":
		p.Category = categoryTimeout
	case status >= http.StatusInternalServerError:
		p.Category = categoryServer
	default:
		p.Category = categoryQuery
	}
	return p
}

// capital begins a sentence.
func capital(text string) string {
	if text == "" || text[0] < 'a' || text[0] > 'z' {
		return text
	}
	return string(text[0]-'a'+'A') + text[1:]
}
