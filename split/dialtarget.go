package split

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
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

// asciiHost turns a name into what is looked up (RFC 5890), and refuses what is
// neither that nor an address.
func asciiHost(host string) (string, error) {
	if strings.Contains(host, ":") {
		address, err := netip.ParseAddr(host)
		if err == nil && strings.IndexFunc(address.Zone(), notInNames) >= 0 {
			err = wscore.ErrTarget
		}
		return host, err
	}
	name, err := host, error(nil)
	if strings.IndexFunc(host, func(r rune) bool { return r >= 0x80 }) >= 0 {
		name, err = idna.Lookup.ToASCII(host)
	}
	if err == nil && strings.IndexFunc(name, notInNames) >= 0 {
		err = wscore.ErrTarget
	}
	return name, err
}

// notInNames tells what no host or interface has in its name; an underscore is
// common inside of clusters.
func notInNames(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_')
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
	return withAuth(fields, "Authorization", d.target.url.User), err
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

// withAuth adds the field that tells who asks (RFC 7617), unless it is there.
func withAuth(fields []wscore.HeaderField, name string, user *url.Userinfo) []wscore.HeaderField {
	there := func(f wscore.HeaderField) bool { return strings.EqualFold(f.Name, name) }
	if user == nil || slices.ContainsFunc(fields, there) {
		return fields
	}
	password, _ := user.Password()
	value := "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
	return append(fields, wscore.HeaderField{Name: name, Value: value})
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
