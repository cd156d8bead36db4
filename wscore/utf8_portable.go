//go:build !amd64 || purego

package wscore

import "unicode/utf8"

func validLongText(p []byte) bool { return utf8.Valid(p) }

func validShortText(p []byte) bool { return utf8.Valid(p) }
