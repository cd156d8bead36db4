package conformance

import (
	"strings"
	"unicode/utf8"
)

// utf8Group is one subgroup of group 6 from 6.5 on: whole texts in one frame,
// whose validity decides what is expected.
type utf8Group struct {
	number   int
	title    string
	payloads []string
}

func utf8Table() []utf8Group {
	const greek = "κ\u1f79σμε"
	return []utf8Group{
		{5, "code points of one to four octets", []string{
			"hello$world", "hello¢world", "hello€world", "hello\U00024B62world", greek,
		}},
		{6, "every prefix of a Greek word", prefixes(greek)},
		{7, "lowest code point of each length", []string{"\x00", "\u0080", "\u0800", "\U00010000"}},
		{8, "lowest sequence of five and six octets", []string{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}},
		{9, "highest code point of each length", []string{"\x7f", "\u07ff", "\uffff", "\U0010ffff"}},
		{10, "highest sequence of four, five and six octets", []string{
			"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf",
		}},
		{11, "around the surrogates and the last code point", []string{
			"\ud7ff", "\ue000", "\ufffd", "\U0010ffff", "\xf4\x90\x80\x80",
		}},
		{12, "continuation octets that continue nothing", append(
			[]string{"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf"},
			octetRange(0x80, 0xbe, ""),
		)},
		{13, "first octets that nothing continues", []string{
			octetRange(0xc0, 0xde, " "), octetRange(0xe0, 0xee, " "), octetRange(0xf0, 0xf6, " "), octetRange(0xf8, 0xfa, " "), "\xfc ",
		}},
		{14, "sequences without their last octet", unfinished},
		{15, "sequences without their last octet, in a row", []string{strings.Join(unfinished, "")}},
		{16, "octets no sequence has", []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
		{17, "a slash in too many octets", []string{
			"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf",
		}},
		{18, "highest code points in too many octets", []string{
			"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf",
		}},
		{19, "zero in too many octets", []string{
			"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80",
		}},
		{20, "a surrogate", []string{
			"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf",
		}},
		{21, "a pair of surrogates", surrogatePairs()},
		{22, "code points that are no characters", nonCharacters()},
		{23, "the specials block", specials()},
	}
}

var unfinished = []string{
	"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
	"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf",
}

func prefixes(s string) []string {
	var all []string
	for i := range len(s) {
		all = append(all, s[:i+1])
	}
	return all
}

// octetRange lists the octets from low to high, each followed by a separator.
func octetRange(low, high byte, separator string) string {
	var b strings.Builder
	for c := int(low); c <= int(high); c++ {
		b.WriteByte(byte(c))
		b.WriteString(separator)
	}
	return b.String()
}

func surrogatePairs() []string {
	var pairs []string
	for _, first := range []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf"} {
		for _, second := range []string{"\xed\xb0\x80", "\xed\xbf\xbf"} {
			pairs = append(pairs, first+second)
		}
	}
	return pairs
}

// nonCharacters are the last two code points of every plane.
func nonCharacters() []string {
	var all []string
	for plane := rune(0); plane <= utf8.MaxRune>>16; plane++ {
		all = append(all, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	return all
}

func specials() []string {
	var all []string
	for r := '\ufff9'; r <= '\uffff'; r++ {
		all = append(all, string(r))
	}
	return all
}
