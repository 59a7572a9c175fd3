/* riscv64: the entry into the kernel, with the labels that FreeBSD has (reference kernel-symbols.md, section 9.4). Its
   call frame information is for gdb, which is told by it what we find by their names. */
	.cfi_sections .debug_frame
	.text

	.globl _start, system_call
_start:
	mv	a0, sp
	li	s0, 0
	call	boot
	unimp

system_call:
	mv	a7, a6
	ecall
	ret

	.macro	EACH operation, at
	\operation	ra, 0(\at)
	\operation	sp, 8(\at)
	\operation	gp, 16(\at)
	\operation	tp, 24(\at)
	\operation	s0, 32(\at)
	\operation	s1, 40(\at)
	\operation	s2, 48(\at)
	\operation	s3, 56(\at)
	\operation	s4, 64(\at)
	\operation	s5, 72(\at)
	\operation	s6, 80(\at)
	\operation	s7, 88(\at)
	\operation	s8, 96(\at)
	\operation	s9, 104(\at)
	\operation	s10, 112(\at)
	\operation	s11, 120(\at)
	.endm

	.globl cpu_switch, cpu_throw, savectx
	.type savectx, @function
savectx:
	EACH	sd, a0
	ret
	.type cpu_switch, @function
cpu_switch:
	EACH	sd, a0
	mv	a0, a1
	.type cpu_throw, @function
cpu_throw:
	EACH	ld, a0
	ret

	.globl enter_at
enter_at:
	mv	sp, a1
	ld	s0, 88(sp)
	jr	a0

	.macro	ENTRY label, handler
	.globl	\label
	.type	\label, @function
\label:
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_return_column 64
	.cfi_def_cfa sp, 288
	.cfi_offset ra, -288
	.cfi_offset sp, -280
	.cfi_offset gp, -272
	.cfi_offset tp, -264
	.cfi_offset t0, -256
	.cfi_offset t1, -248
	.cfi_offset t2, -240
	.cfi_offset t3, -232
	.cfi_offset t4, -224
	.cfi_offset t5, -216
	.cfi_offset t6, -208
	.cfi_offset s0, -200
	.cfi_offset s1, -192
	.cfi_offset s2, -184
	.cfi_offset s3, -176
	.cfi_offset s4, -168
	.cfi_offset s5, -160
	.cfi_offset s6, -152
	.cfi_offset s7, -144
	.cfi_offset s8, -136
	.cfi_offset s9, -128
	.cfi_offset s10, -120
	.cfi_offset s11, -112
	.cfi_offset 64, -40
	mv	a0, sp
	call	\handler
	unimp
	.cfi_endproc
	.size	\label, . - \label
	.endm

	ENTRY	cpu_exception_handler_supervisor, do_trap
	ENTRY	cpu_exception_handler_user, do_trap

	.globl	fork_trampoline
	.type	fork_trampoline, @function
fork_trampoline:
	.cfi_startproc
	.cfi_undefined ra
	mv	a0, s1
	mv	a1, s2
	mv	a2, sp
	call	fork_exit
	unimp
	.cfi_endproc
	/* The page tables begin here: whoever writes the dump fills them in. */
	.bss
	.align	12
pagetable_l1:
	.space	4096
	.section .note.GNU-stack,"",@progbits
