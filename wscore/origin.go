package wscore

import (
	"path"
	"strings"
)

// OriginPatterns are origins that may connect beside the server's own (RFC
// 6455 section 10.2). The zero value allows the same origin only.
type OriginPatterns struct{ patterns []string }

// NewOriginPatterns checks the patterns: a host with an optional port, such as
// "chat.example.com" or "*.example.com:8443", or with its scheme before it,
// "https://*.example.com". A star stands for any characters, also dots; case
// does not matter. The error is a [*ConfigError] that names the pattern.
func NewOriginPatterns(patterns ...string) (OriginPatterns, error) {
	var o OriginPatterns
	for _, pattern := range patterns {
		lowered := strings.ToLower(pattern)
		_, host, hasScheme := strings.Cut(lowered, "://")
		if !hasScheme {
			host = lowered
		}
		if _, err := path.Match(lowered, ""); err != nil || host == "" || strings.ContainsAny(host, "/ ?#") {
			return OriginPatterns{}, &ConfigError{Field: "origin pattern", Value: pattern, Range: "host[:port] or scheme://host[:port], with stars"}
		}
		o.patterns = append(o.patterns, lowered)
	}
	return o, nil
}

// Allow reports whether a page of that origin may connect to that host: no
// origin at all, the same one ([SameOrigin]), or one that a pattern names.
func (o OriginPatterns) Allow(origin, host []byte) bool {
	if SameOrigin(origin, host) {
		return true
	}
	lowered := strings.ToLower(string(origin))
	_, authority, ok := strings.Cut(lowered, "://")
	if !ok || strings.ContainsAny(authority, "/ ") {
		return false
	}
	for _, pattern := range o.patterns {
		against := authority
		if strings.Contains(pattern, "://") {
			against = strings.Replace(lowered, "://", ":", 1)
			pattern = strings.Replace(pattern, "://", ":", 1)
		}
		if matched, _ := path.Match(pattern, against); matched { // patterns were checked when made
			return true
		}
	}
	return false
}
