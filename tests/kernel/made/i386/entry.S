/* i386: entries into the kernel, with the labels that FreeBSD has (reference kernel-symbols.md, section 9.2). Their
   call frame information is for gdb, which is told by it what we find by their names. */
	.cfi_sections .debug_frame
	.text

	.globl _start, restore_signal, system_call
_start:
	xorl	%ebp, %ebp
	movl	%esp, %eax
	andl	$-16, %esp
	subl	$12, %esp
	pushl	%eax
	call	boot
	hlt

restore_signal:
	movl	$173, %eax
	int	$0x80

system_call:
	pushl	%ebp
	pushl	%edi
	pushl	%esi
	pushl	%ebx
	movl	20(%esp), %eax
	movl	24(%esp), %ebx
	movl	28(%esp), %ecx
	movl	32(%esp), %edx
	movl	36(%esp), %esi
	movl	40(%esp), %edi
	movl	44(%esp), %ebp
	int	$0x80
	popl	%ebx
	popl	%esi
	popl	%edi
	popl	%ebp
	ret

	.globl cpu_switch, cpu_throw, savectx
	.type savectx, @function
savectx:
	movl	4(%esp), %ecx
	movl	(%esp), %eax
	movl	%eax, 20(%ecx)
	movl	%esp, 12(%ecx)
	movl	%edi, (%ecx)
	movl	%esi, 4(%ecx)
	movl	%ebp, 8(%ecx)
	movl	%ebx, 16(%ecx)
	ret
	.type cpu_switch, @function
cpu_switch:
	movl	4(%esp), %ecx
	movl	(%esp), %eax
	movl	%eax, 20(%ecx)
	movl	%esp, 12(%ecx)
	movl	%edi, (%ecx)
	movl	%esi, 4(%ecx)
	movl	%ebp, 8(%ecx)
	movl	%ebx, 16(%ecx)
	movl	8(%esp), %ecx
	jmp	1f
	.type cpu_throw, @function
cpu_throw:
	movl	4(%esp), %ecx
1:	movl	(%ecx), %edi
	movl	4(%ecx), %esi
	movl	8(%ecx), %ebp
	movl	16(%ecx), %ebx
	movl	12(%ecx), %esp
	movl	20(%ecx), %eax
	movl	%eax, (%esp)
	ret

	.globl enter_at
enter_at:
	movl	4(%esp), %eax
	movl	8(%esp), %esp
	jmp	*%eax

	/* In the kernel no stack pointer was pushed: it is where the frame ends. */
	.macro	FRAME end
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa ebp, \end
	.cfi_offset edi, 12 - \end
	.cfi_offset esi, 16 - \end
	.cfi_offset ebp, 20 - \end
	.cfi_offset ebx, 28 - \end
	.cfi_offset edx, 32 - \end
	.cfi_offset ecx, 36 - \end
	.cfi_offset eax, 40 - \end
	.cfi_offset eip, 52 - \end
	.endm

	.macro	ENTRY label, handler
	.globl	\label
	.type	\label, @function
\label:
	FRAME	64
	movl	%esp, %ebp
	subl	$8, %esp
	pushl	%esp
	addl	$8, (%esp)
	call	\handler
	hlt
	.cfi_endproc
	.size	\label, . - \label
	.endm

	ENTRY	Xtimerint, intr_execute_handlers
	ENTRY	Xcpustop, ipi_stop
	ENTRY	Xdblfault, dblfault_handler
	ENTRY	Xint0x80_syscall, syscall_entered
	ENTRY	Xpage, trap
	ENTRY	calltrap, trap
	ENTRY	nmi_calltrap, trap

	.globl	fork_trampoline
	.type	fork_trampoline, @function
fork_trampoline:
	FRAME	64
	movl	%esp, %eax
	pushl	%eax
	pushl	%ebx
	pushl	%esi
	movl	%eax, %ebp
	call	fork_exit
	hlt
	.cfi_endproc
	.section .note.GNU-stack,"",@progbits
