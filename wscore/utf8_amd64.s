//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// Throughout, AX is the block, DX the end of the text, Y8 collects what is
// wrong, and Y9 to Y15 hold constants.

// BEFORE loads the block moved back by one, two and three bytes.
#define BEFORE \
	VMOVDQU -1(AX), Y1; \
	VMOVDQU -2(AX), Y2; \
	VMOVDQU -3(AX), Y3

// CHECK judges the block in Y0 with the bytes before each of its bytes in Y1,
// Y2 and Y3. What the tables say of each byte and the one before it leaves open
// where two continuations may follow each other: exactly where the byte two
// before leads three bytes or more, or the byte three before leads four.
#define CHECK \
	VPSRLW   $4, Y1, Y4; \
	VPAND    Y12, Y4, Y4; \
	VPSHUFB  Y4, Y15, Y4; \
	VPAND    Y12, Y1, Y1; \
	VPSHUFB  Y1, Y14, Y1; \
	VPSRLW   $4, Y0, Y5; \
	VPAND    Y12, Y5, Y5; \
	VPSHUFB  Y5, Y13, Y5; \
	VPAND    Y1, Y4, Y4; \
	VPAND    Y5, Y4, Y4; \
	VPSUBUSB Y11, Y2, Y2; \
	VPSUBUSB Y10, Y3, Y3; \
	VPOR     Y3, Y2, Y2; \
	VPAND    Y9, Y2, Y2; \
	VPXOR    Y4, Y2, Y2; \
	VPOR     Y2, Y8, Y8

// CONSTANTS loads what CHECK needs from the tables at BX.
#define CONSTANTS \
	VBROADCASTI128 faultTables_firstHigh(BX), Y15; \
	VBROADCASTI128 faultTables_firstLow(BX), Y14; \
	VBROADCASTI128 faultTables_secondHigh(BX), Y13; \
	VPBROADCASTB   faultTables_halfByte(BX), Y12; \
	VPBROADCASTB   faultTables_three(BX), Y11; \
	VPBROADCASTB   faultTables_four(BX), Y10; \
	VPBROADCASTB   faultTables_top(BX), Y9; \
	VPXOR          Y8, Y8, Y8

// func valid16AVX2(first, second uint64, t *faultTables) bool
TEXT ·valid16AVX2(SB), NOSPLIT, $0-25
	VMOVQ   first+0(FP), X0
	VPINSRQ $1, second+8(FP), X0, X0 // the upper 16 bytes of Y0 are zeros
	MOVQ    t+16(FP), BX
	CONSTANTS
	VPSLLDQ $1, X0, X1
	VPSLLDQ $2, X0, X2
	VPSLLDQ $3, X0, X3
	CHECK
	VPTEST  X8, X8
	SETEQ   ret+24(FP)
	VZEROUPPER
	RET

// func validAVX2(p *byte, n int, t *faultTables) bool
TEXT ·validAVX2(SB), NOSPLIT, $0-25
	MOVQ p+0(FP), AX
	MOVQ n+8(FP), SI
	MOVQ t+16(FP), BX
	LEAQ (AX)(SI*1), DX

	// Up to 128 bytes of nothing but ASCII need no tables.
	CMPQ   SI, $128
	JHI    tables
	CMPQ   SI, $64
	JB     upTo64
	VMOVDQU (AX), Y0
	VPOR    32(AX), Y0, Y0
	VPOR    -64(DX), Y0, Y0
	VPOR    -32(DX), Y0, Y0
	JMP     ascii

upTo64:
	VMOVDQU (AX), Y0
	VPOR    -32(DX), Y0, Y0

ascii:
	VPMOVMSKB Y0, R9
	TESTL     R9, R9
	JNZ       tables
	MOVB      $1, ret+24(FP)
	VZEROUPPER
	RET

tables:
	CONSTANTS

	// Before the first block there is nothing: zeros, which are ASCII.
	VMOVDQU    (AX), Y0
	VPERM2I128 $0x08, Y0, Y0, Y4
	VPALIGNR   $15, Y4, Y0, Y1
	VPALIGNR   $14, Y4, Y0, Y2
	VPALIGNR   $13, Y4, Y0, Y3
	CHECK
	ADDQ       $32, AX

	LEAQ -128(DX), CX
	LEAQ -32(DX), R8

	// Four blocks are skipped at once if they and the one before them are ASCII;
	// the one before because a character may be cut off at its end.
	PCALIGN $32
four:
	CMPQ      AX, CX
	JHI       rest
	VMOVDQU   -32(AX), Y0
	VPOR      (AX), Y0, Y0
	VMOVDQU   32(AX), Y1
	VPOR      64(AX), Y1, Y1
	VPOR      96(AX), Y0, Y0
	VPOR      Y1, Y0, Y0
	VPMOVMSKB Y0, R9
	LEAQ      128(AX), R10
	TESTL     R9, R9
	JNZ       check
	MOVQ      R10, AX
	JMP       four

	PCALIGN $32
check:
	VMOVDQU (AX), Y0
	BEFORE
	CHECK
	ADDQ    $32, AX
	CMPQ    AX, R10
	JB      check
	JMP     four

rest:
	CMPQ    AX, R8
	JAE     last
	VMOVDQU (AX), Y0
	BEFORE
	CHECK
	ADDQ    $32, AX
	JMP     rest

	// The last 32 bytes, of which some were judged before.
last:
	MOVQ    R8, AX
	VMOVDQU (AX), Y0
	BEFORE
	CHECK

	VPTEST Y8, Y8
	SETEQ  ret+24(FP)
	VZEROUPPER
	RET
