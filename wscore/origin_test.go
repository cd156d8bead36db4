package wscore

import "testing"

func TestOriginPatternsAllowWhatTheyName(t *testing.T) {
	o, err := NewOriginPatterns("chat.example.com", "*.example.org:8443", "https://*.secure.example")
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]bool{
		"":                               true, // not a browser
		"https://here.example":           true, // the same origin
		"https://chat.example.com":       true,
		"HTTP://Chat.Example.Com":        true,
		"https://chat.example.com:444":   false,
		"https://a.chat.example.com":     false,
		"https://a.example.org:8443":     true,
		"https://a.b.example.org:8443":   true,
		"https://a.example.org":          false,
		"https://x.secure.example":       true,
		"http://x.secure.example":        false,
		"https://evilsecure.example":     false,
		"https://x.secure.example.evil":  false,
		"https://evil/chat.example.com":  false,
		"null":                           false,
		"chat.example.com":               false,
		"https://":                       false,
		"https://chat.example.com.evil":  false,
		"https://x.secure.example/@evil": false,
	} {
		if got := o.Allow([]byte(origin), []byte("here.example")); got != want {
			t.Errorf("origin %q: allowed %v, want %v", origin, got, want)
		}
	}
	var none OriginPatterns
	if none.Allow([]byte("https://chat.example.com"), []byte("here.example")) {
		t.Error("without patterns a foreign origin is allowed")
	}
}

func TestOriginPatternsThatCannotMatchAreRefused(t *testing.T) {
	for _, pattern := range []string{"", "https://", "[", "a/b", "https://a/b", "a b"} {
		if _, err := NewOriginPatterns(pattern); err == nil {
			t.Errorf("pattern %q is taken", pattern)
		}
	}
}
