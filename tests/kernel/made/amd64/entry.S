/* amd64: entries into the kernel, with the labels that FreeBSD has (reference kernel-symbols.md, section 9.1). Their
   call frame information is for gdb, which is told by it what we find by their names. */
	.cfi_sections .debug_frame
	.text

	.globl _start, restore_signal, system_call
_start:
	xorl	%ebp, %ebp
	movq	%rsp, %rdi
	andq	$-16, %rsp
	call	boot
	hlt

restore_signal:
	movl	$15, %eax
	syscall

system_call:
	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
	ret

	.globl cpu_switch, cpu_throw, savectx
	.type cpu_switch, @function
cpu_switch:
	call	1f
	movq	%rsi, %rdi
	jmp	cpu_throw
	.type savectx, @function
savectx:
	movq	(%rsp), %rax
	movq	%rax, 56(%rdi)
	movq	%rsp, 40(%rdi)
	jmp	2f
1:	movq	8(%rsp), %rax
	movq	%rax, 56(%rdi)
	leaq	8(%rsp), %rax
	movq	%rax, 40(%rdi)
2:	movq	%rbx, 48(%rdi)
	movq	%rbp, 32(%rdi)
	movq	%r12, 24(%rdi)
	movq	%r13, 16(%rdi)
	movq	%r14, 8(%rdi)
	movq	%r15, (%rdi)
	ret
	.type cpu_throw, @function
cpu_throw:
	movq	48(%rdi), %rbx
	movq	32(%rdi), %rbp
	movq	24(%rdi), %r12
	movq	16(%rdi), %r13
	movq	8(%rdi), %r14
	movq	(%rdi), %r15
	movq	40(%rdi), %rsp
	movq	56(%rdi), %rax
	movq	%rax, (%rsp)
	ret

	.globl enter_at
enter_at:
	movq	64(%rsi), %rbp
	movq	%rsi, %rsp
	jmp	*%rdi

	.macro	FRAME
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa rsp, 192
	.cfi_offset rdi, -192
	.cfi_offset rsi, -184
	.cfi_offset rdx, -176
	.cfi_offset rcx, -168
	.cfi_offset r8, -160
	.cfi_offset r9, -152
	.cfi_offset rax, -144
	.cfi_offset rbx, -136
	.cfi_offset rbp, -128
	.cfi_offset r10, -120
	.cfi_offset r11, -112
	.cfi_offset r12, -104
	.cfi_offset r13, -96
	.cfi_offset r14, -88
	.cfi_offset r15, -80
	.cfi_offset rip, -40
	.cfi_offset rsp, -16
	.endm

	.macro	ENTRY label, handler
	.globl	\label
	.type	\label, @function
\label:
	FRAME
	movq	%rsp, %rdi
	call	\handler
	hlt
	.cfi_endproc
	.size	\label, . - \label
	.endm

	ENTRY	Xtimerint, intr_execute_handlers
	ENTRY	Xcpustop, ipi_stop
	ENTRY	Xdblfault, dblfault_handler
	ENTRY	fast_syscall_common, syscall_entered
	/* Labels inside other functions, as in the kernel. */
	ENTRY	Xpage, trap
	.globl	calltrap
	.type	calltrap, @function
calltrap:
	FRAME
	movq	%rsp, %rdi
	call	trap
	hlt
	.cfi_endproc
	.type	nmi_calltrap, @notype
	.globl	nmi_calltrap
nmi_calltrap:
	FRAME
	movq	%rsp, %rdi
	call	trap
	hlt
	.cfi_endproc

	.globl	fork_trampoline
	.type	fork_trampoline, @function
fork_trampoline:
	FRAME
	movq	%r12, %rdi
	movq	%rbx, %rsi
	movq	%rsp, %rdx
	call	fork_exit
	hlt
	.cfi_endproc
	.section .note.GNU-stack,"",@progbits
