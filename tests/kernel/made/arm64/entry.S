/* arm64: entries into the kernel, with the labels that FreeBSD has (reference kernel-symbols.md, section 9.3). Their
   call frame information is for gdb, which is told by it what we find by their names. */
	.cfi_sections .debug_frame
	.text

	.globl _start, system_call
_start:
	mov	x0, sp
	mov	x29, xzr
	bl	boot
	brk	#1

system_call:
	mov	x8, x6
	svc	#0
	ret

	.globl cpu_switch, cpu_throw, savectx
	.type savectx, @function
savectx:
	stp	x19, x20, [x0]
	stp	x21, x22, [x0, #16]
	stp	x23, x24, [x0, #32]
	stp	x25, x26, [x0, #48]
	stp	x27, x28, [x0, #64]
	stp	x29, x30, [x0, #80]
	mov	x9, sp
	str	x9, [x0, #96]
	ret
	.type cpu_switch, @function
cpu_switch:
	mov	x10, x30
	mov	x11, x1
	bl	savectx
	str	x10, [x0, #88]
	mov	x0, x11
	.type cpu_throw, @function
cpu_throw:
	ldp	x19, x20, [x0]
	ldp	x21, x22, [x0, #16]
	ldp	x23, x24, [x0, #32]
	ldp	x25, x26, [x0, #48]
	ldp	x27, x28, [x0, #64]
	ldp	x29, x30, [x0, #80]
	ldr	x9, [x0, #96]
	mov	sp, x9
	ret

	.globl enter_at
enter_at:
	mov	sp, x1
	br	x0

	.macro	ENTRY label, handler
	.globl	\label
	.type	\label, @function
\label:
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_return_column 32
	.cfi_def_cfa sp, 288
	.cfi_offset sp, -288
	.cfi_offset x30, -280
	.cfi_offset 32, -272
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29
	.cfi_offset \n, -240 + 8 * \n
	.endr
	add	x29, sp, #288
	mov	x0, sp
	bl	\handler
	brk	#1
	.cfi_endproc
	.size	\label, . - \label
	.endm

	ENTRY	handle_el1h_sync, trap
	ENTRY	handle_el1h_irq, intr_execute_handlers
	ENTRY	handle_el1h_fiq, ipi_stop
	ENTRY	handle_el1h_serror, trap
	ENTRY	handle_serror, dblfault_handler
	ENTRY	handle_el0_sync, el0_sync
	ENTRY	handle_el0_serror, trap

	.globl	fork_trampoline
	.type	fork_trampoline, @function
fork_trampoline:
	.cfi_startproc
	.cfi_undefined x30
	mov	x0, x19
	mov	x1, x20
	mov	x2, sp
	mov	x29, xzr
	bl	fork_exit
	brk	#1
	.cfi_endproc
	.section .note.GNU-stack,"",@progbits
