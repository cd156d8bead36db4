package wscore

import "testing"

// Whatever is counted, the code is complete, within its limit, shorter for what
// is commoner, and read again by the table that inflates.
func TestAssignedCodesAreCompleteAndWithinTheirLimit(t *testing.T) {
	fibonacci := make([]uint16, 22) // would need codes of 21 bits
	for i := range fibonacci {
		fibonacci[i] = 1
		if i > 1 {
			fibonacci[i] = fibonacci[i-1] + fibonacci[i-2]
		}
	}
	alike := make([]uint16, 286)
	steps := make([]uint16, 19)
	for i := range alike {
		alike[i] = 7
	}
	for i := range steps {
		steps[i] = 1 << min(i, 12)
	}
	symbols := make([]prefixEntry, maxLiterals)
	for i := range symbols {
		symbols[i] = symbolEntry(i, 0)
	}
	for name, test := range map[string]struct {
		counts  []uint16
		longest int
	}{
		"nothing":           {make([]uint16, 30), 15},
		"only the first":    {[]uint16{9, 0, 0}, 15},
		"only the last":     {[]uint16{0, 0, 9}, 15},
		"two":               {[]uint16{0, 1, 0, 1000}, 15},
		"too deep for 15":   {fibonacci, 15},
		"too deep for 7":    {fibonacci[:19], 7},
		"powers of two":     {steps, 7},
		"all of them alike": {alike, 15},
	} {
		t.Run(name, func(t *testing.T) {
			codes := make([]prefixCode, len(test.counts))
			total := assignCodes(codes, test.counts, test.longest)
			space, bits := 0, 0
			lengths := make([]uint8, len(codes))
			for i, code := range codes {
				size := int(code.size())
				lengths[i] = uint8(size)
				bits += size * int(test.counts[i])
				if size > 0 {
					space += 1 << (test.longest - size)
				}
				if size > test.longest || test.counts[i] > 0 && size == 0 {
					t.Errorf("symbol %d, counted %d times, has %d bits", i, test.counts[i], size)
				}
				for j, other := range codes {
					if test.counts[j] > test.counts[i] && other.size() > code.size() && size > 0 {
						t.Errorf("%d is commoner than %d, but longer", j, i)
					}
				}
			}
			if space != 1<<test.longest || total != bits {
				t.Errorf("codes take %d of %d, and %d bits, said to be %d", space, 1<<test.longest, bits, total)
			}
			var table prefixTable
			if !table.build(lengths, symbols) {
				t.Fatal("not a code")
			}
			for i, code := range codes {
				if entry := table.look(code.bits() | 0xA5<<code.size()); code != 0 && (entry.base() != i || entry.size() != code.size()) {
					t.Errorf("the code of %d is read as %d", i, entry.base())
				}
			}
		})
	}
}

func TestSymbolsOfLengthsAndDistancesAreThoseThatAreRead(t *testing.T) {
	for length := 3; length <= maxMatch; length++ {
		symbol, extra, n := lengthSymbol(length)
		if got, size := literalSymbols[symbol].complete(extra); got != length || size != n {
			t.Errorf("length %d is read as %d", length, got)
		}
	}
	for distance := 1; distance <= 1<<maxWindowBits; distance++ {
		symbol, extra, n := distanceSymbol(distance)
		if got, size := distanceSymbols[symbol].complete(extra); got != distance || size != n {
			t.Fatalf("distance %d is read as %d", distance, got)
		}
	}
}
