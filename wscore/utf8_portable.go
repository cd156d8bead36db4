//go:build !amd64 || purego

package wscore

import "unicode/utf8"

func validLongText(p []byte) bool { return !endsCutOff(p) && utf8.Valid(p) }

func validTwoWords(p []byte, _, _ uint64) bool { return utf8.Valid(p) }

func validShortText(p []byte) bool { return utf8.Valid(p) }
