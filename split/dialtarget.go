package split

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/tandem-ws/tandem/wscore"
)

// target is what a URL says about a server.
type target struct {
	url       *url.URL
	secure    bool
	name      string // the host, without port or zone
	address   string // what to dial
	tunneled  string // what to ask a proxy for
	hostField string
}

func parseTarget(raw string) (target, error) {
	refused := func(why string) (target, error) {
		return target{}, &wscore.ConfigError{Field: "URL", Value: redacted(raw), Range: "ws://host or wss://host, with port, path and query if needed: " + why}
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return refused("it is malformed")
	case u.Scheme != "ws" && u.Scheme != "wss":
		return refused("the scheme is neither")
	case u.Opaque != "" || u.Hostname() == "":
		return refused("there is no host")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return refused("a fragment is not allowed")
	}
	t := target{url: u, secure: u.Scheme == "wss"}
	port, normal := u.Port(), "80"
	if t.secure {
		normal = "443"
	}
	host, err := asciiHost(u.Hostname())
	if err != nil {
		return refused("the host is no name and no address")
	}
	t.name, _, _ = strings.Cut(host, "%") // a zone means nothing to others (RFC 6874)
	t.hostField = t.name
	if strings.Contains(t.name, ":") {
		t.hostField = "[" + t.name + "]"
	}
	if port != "" && port != normal {
		t.hostField += ":" + port
	}
	if port == "" {
		port = normal
	}
	t.address, t.tunneled = net.JoinHostPort(host, port), net.JoinHostPort(t.name, port)
	return t, nil
}

// asciiHost turns a name into what is looked up (RFC 5890) and refuses what
// would break a request line.
func asciiHost(host string) (string, error) {
	ascii := true
	for i := range len(host) {
		if host[i] <= 0x20 || host[i] == 0x7F || strings.IndexByte(`/\?#@`, host[i]) >= 0 {
			return "", wscore.ErrTarget
		}
		ascii = ascii && host[i] < 0x80
	}
	if ascii {
		return host, nil
	}
	return idna.Lookup.ToASCII(host)
}

// redacted is a URL fit for errors: without password, also if it is malformed.
func redacted(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Redacted()
	}
	if at := strings.LastIndexByte(raw, '@'); at >= 0 {
		return "xxxxx" + raw[at:]
	}
	return raw
}

// headers are the request's further fields, in the order of their names.
func (d *dialing) headers() ([]wscore.HeaderField, error) {
	fields, err := headerFields(d.config.Header)
	if user := d.target.url.User; user != nil && d.config.Header.Get("Authorization") == "" {
		fields = append(fields, wscore.HeaderField{Name: "Authorization", Value: basicAuth(user)})
	}
	return fields, err
}

// headerFields flattens a header and refuses what would break a head.
func headerFields(header http.Header) ([]wscore.HeaderField, error) {
	var fields []wscore.HeaderField
	for name, values := range header {
		for _, value := range values {
			fields = append(fields, wscore.HeaderField{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(fields, func(a, b wscore.HeaderField) int { return strings.Compare(a.Name, b.Name) })
	return fields, wscore.CheckHeaders(fields)
}

// basicAuth is the value of an Authorization field (RFC 7617).
func basicAuth(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}

// headerOf copies header fields out of the buffer they lie in.
func headerOf(fields *wscore.Fields) http.Header {
	header := make(http.Header, fields.Len())
	for i := range fields.Len() {
		name, value := fields.At(i)
		header.Add(string(name), string(value))
	}
	return header
}
