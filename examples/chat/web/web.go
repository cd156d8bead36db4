// Package web holds the chat's page, compiled into the program. It serves
// nothing itself.
package web

import "embed"

// Files are the page's files, all in the root.
//
//go:embed *.html *.css *.js *.svg
var Files embed.FS
