package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// contentTypes are those of the page's files, whatever the machine believes.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// contentSecurityPolicy lets the page load its own files and talk to its own
// server, and nothing else; a page that finds a way to smuggle in a script
// still cannot run it.
const contentSecurityPolicy = "default-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// page serves the files of the chat's page from memory.
type page struct{ files map[string]pageFile }

type pageFile struct {
	content     []byte
	contentType string
	etag        string
}

func newPage(files fs.FS) (*page, error) {
	p := &page{files: make(map[string]pageFile)}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		content, err := fs.ReadFile(files, entry.Name())
		if err != nil {
			return nil, err
		}
		contentType := contentTypes[path.Ext(entry.Name())]
		if contentType == "" {
			return nil, fmt.Errorf("no content type is known for the page's file %s", entry.Name())
		}
		hash := sha256.Sum256(content)
		p.files["/"+entry.Name()] = pageFile{content: content, contentType: contentType, etag: `"` + hex.EncodeToString(hash[:16]) + `"`}
	}
	index, ok := p.files["/index.html"]
	if !ok {
		return nil, fmt.Errorf("the page has no index.html")
	}
	p.files["/"] = index
	return p, nil
}

// ServeHTTP answers with a file. A browser asks each time whether it has
// changed, so that a page and its scripts are always of one version.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "this page is for reading", http.StatusMethodNotAllowed)
		return
	}
	file, ok := p.files[r.URL.Path]
	if !ok {
		http.Error(w, "there is no such page", http.StatusNotFound)
		return
	}
	header.Set("Cache-Control", "no-cache")
	header.Set("Content-Type", file.contentType)
	header.Set("ETag", file.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.content))
}
