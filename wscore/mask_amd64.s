//go:build !purego

#include "textflag.h"

// The first and the last bytes are masked as whole vectors wherever they lie.
// They may overlap each other and the loop, so they are read before anything is
// written and written last; no byte is ever masked twice.

// func maskAVX2(p *byte, n int, key uint32)
TEXT ·maskAVX2(SB), NOSPLIT, $0-20
	MOVQ p+0(FP), DI
	MOVQ n+8(FP), SI
	MOVL key+16(FP), AX
	LEAQ (DI)(SI*1), DX // the end

	// Y0 is the key as it fits the start, Y1 as it fits the end and what lies a
	// multiple of four before it.
	VMOVD        AX, X0
	VPBROADCASTD X0, Y0
	MOVL         AX, BX
	LEAL         (SI*8), CX
	RORL         CX, BX
	VMOVD        BX, X1
	VPBROADCASTD X1, Y1

	CMPQ SI, $64
	JBE  upTo64
	CMPQ SI, $128
	JA   over128

	VPXOR   (DI), Y0, Y2
	VPXOR   32(DI), Y0, Y3
	VPXOR   -64(DX), Y1, Y4
	VPXOR   -32(DX), Y1, Y5
	VMOVDQU Y2, (DI)
	VMOVDQU Y3, 32(DI)
	VMOVDQU Y4, -64(DX)
	VMOVDQU Y5, -32(DX)
	VZEROUPPER
	RET

upTo64:
	VPXOR   (DI), Y0, Y2
	VPXOR   -32(DX), Y1, Y3
	VMOVDQU Y2, (DI)
	VMOVDQU Y3, -32(DX)
	VZEROUPPER
	RET

over128:
	VPXOR (DI), Y0, Y2
	VPXOR -128(DX), Y1, Y3
	VPXOR -96(DX), Y1, Y4
	VPXOR -64(DX), Y1, Y5
	VPXOR -32(DX), Y1, Y6
	MOVQ  DI, R8

	// The loop starts at the next multiple of 32, so that no access straddles
	// two cache lines, with the key turned to fit.
	MOVL         DI, CX
	ORQ          $31, DI
	INCQ         DI
	NEGL         CX
	SHLL         $3, CX
	RORL         CX, AX
	VMOVD        AX, X0
	VPBROADCASTD X0, Y0
	LEAQ         -128(DX), R9
	CMPQ         DI, R9
	JAE          ends

	PCALIGN $32
loop:
	VPXOR   (DI), Y0, Y7
	VPXOR   32(DI), Y0, Y8
	VPXOR   64(DI), Y0, Y9
	VPXOR   96(DI), Y0, Y10
	VMOVDQA Y7, (DI)
	VMOVDQA Y8, 32(DI)
	VMOVDQA Y9, 64(DI)
	VMOVDQA Y10, 96(DI)
	SUBQ    $-128, DI
	CMPQ    DI, R9
	JB      loop

ends:
	VMOVDQU Y2, (R8)
	VMOVDQU Y3, -128(DX)
	VMOVDQU Y4, -96(DX)
	VMOVDQU Y5, -64(DX)
	VMOVDQU Y6, -32(DX)
	VZEROUPPER
	RET
