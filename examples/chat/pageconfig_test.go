package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writeTokenKey writes a key for -token-key and returns its file.
func writeTokenKey(t *testing.T) (file string, key *auth) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("a key of some length\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := readAuth(file)
	if err != nil {
		t.Fatal(err)
	}
	return file, key
}

func TestPageConfigTellsWhatATokenIsWorth(t *testing.T) {
	noLeaks(t)
	open, _ := startProgram(t)
	file, key := writeTokenKey(t)
	closed, _ := startProgram(t, "-token-key", file)
	good := key.sign("ann", time.Now().Add(time.Hour))
	for name, test := range map[string]struct {
		program *program
		shown   string
		want    pageConfig
	}{
		"no tokens":          {open, "", pageConfig{}},
		"no tokens, one yet": {open, "Bearer " + good, pageConfig{}},
		"none shown":         {closed, "", pageConfig{Tokens: true}},
		"good":               {closed, "Bearer " + good, pageConfig{Tokens: true, Nick: "ann"}},
		"changed":            {closed, "Bearer x" + good, pageConfig{Tokens: true, Problem: tokenProblems[errBadToken]}},
		"expired":            {closed, "Bearer " + key.sign("ann", time.Now().Add(-time.Second)), pageConfig{Tokens: true, Problem: tokenProblems[errOldToken]}},
		"nothing in it":      {closed, "Bearer ", pageConfig{Tokens: true}},
	} {
		request, err := http.NewRequest(http.MethodGet, test.program.url+"config", nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.shown != "" {
			request.Header.Set("Authorization", test.shown)
		}
		response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		var got pageConfig
		if err := json.NewDecoder(response.Body).Decode(&got); err != nil || got != test.want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, test.want)
		}
		_ = response.Body.Close() // it was read
		if cached := response.Header.Get("Cache-Control"); cached != "no-store" {
			t.Errorf("%s: Cache-Control is %q", name, cached)
		}
	}
}
