package wscore

import (
	"math/bits"
	"slices"
)

// prefixCode is a code as it is written: from the lowest bits, four for its
// length and the code itself, its first bit lowest.
type prefixCode uint32

func (c prefixCode) size() uint { return uint(c & 0xF) }

func (c prefixCode) bits() uint64 { return uint64(c >> 4) }

// assignCodes gives each symbol that is counted a code of at most longest bits,
// short ones to the commonest (RFC 1951 section 3.2.2), and no code to the
// others. The code is complete: if fewer than two symbols are counted, others
// get codes as well. It returns how many bits all that was counted takes.
func assignCodes(codes []prefixCode, counts []uint16, longest int) (total int) {
	var leaves [maxLiterals]uint32 // count and symbol
	n := 0
	for symbol, count := range counts {
		leaves[n] = uint32(count)<<16 | uint32(symbol)
		if count > 0 {
			n++
		}
	}
	switch {
	case n == 0:
		leaves[0], leaves[1] = 0, 1
	case n == 1 && leaves[0]&0xFFFF == 0:
		leaves[1] = 1
	case n == 1:
		leaves[0], leaves[1] = 0, leaves[0]
	}
	n = max(n, 2)
	symbols := leaves
	slices.Sort(leaves[:n])
	var sizes [maxPrefix + 1]int
	countSizes(&sizes, leaves[:n], longest)

	var next [maxPrefix + 1]uint16 // the first code of each length
	var sizeOf [maxLiterals]uint8
	at := n
	for size := 1; size <= longest; size++ {
		if size > 1 {
			next[size] = (next[size-1] + uint16(sizes[size-1])) << 1
		}
		for range sizes[size] {
			at--
			sizeOf[leaves[at]&0xFFFF] = uint8(size)
			total += int(leaves[at]>>16) * size
		}
	}
	clear(codes)
	for _, symbol := range symbols[:n] {
		symbol &= 0xFFFF
		size := sizeOf[symbol]
		codes[symbol] = prefixCode(bits.Reverse16(next[size]<<(16-size)))<<4 | prefixCode(size)
		next[size]++
	}
	return total
}

// countSizes finds how many codes of each length the best code has for two or
// more leaves, rarest first. After Moffat and Katajainen, "In-place calculation
// of minimum-redundancy codes", 1995: nodes holds the weights of inner nodes,
// then their parents, then their depths.
func countSizes(sizes *[maxPrefix + 1]int, leaves []uint32, longest int) {
	var nodes [maxLiterals]uint32
	n := len(leaves)
	leaf, root := 0, 0
	for next := range n - 1 {
		for range 2 {
			if leaf >= n || root < next && nodes[root] < leaves[leaf]>>16 {
				nodes[next] += nodes[root]
				nodes[root] = uint32(next)
				root++
			} else {
				nodes[next] += leaves[leaf] >> 16
				leaf++
			}
		}
	}
	nodes[n-2] = 0
	for next := n - 3; next >= 0; next-- {
		nodes[next] = nodes[nodes[next]] + 1
	}
	// At each depth there is room for twice the inner nodes above; what is no
	// inner node is a leaf. Leaves that lie too deep are raised.
	room, inner := 1, n-2
	for depth := 0; room > 0; depth++ {
		used := 0
		for inner >= 0 && nodes[inner] == uint32(depth) {
			used++
			inner--
		}
		sizes[min(depth, longest)] += room - used
		room = 2 * used
	}
	taken := 0
	for size := 1; size <= longest; size++ {
		taken += sizes[size] << (longest - size)
	}
	for ; taken > 1<<longest; taken-- {
		// A leaf on the lowest level moves next to one from further up.
		sizes[longest]--
		for size := longest - 1; ; size-- {
			if sizes[size] > 0 {
				sizes[size]--
				sizes[size+1] += 2
				break
			}
		}
	}
}
