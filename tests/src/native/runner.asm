; Runs sequences of instructions on the processor itself, and tells what became of them.
;
; A 32-bit program of Linux without libraries. From standard input it reads cases of one size, from
; standard output their results are read. A case ends with its first exception: the signal's handler
; writes the registers and the memory that changed, and goes on to the next case. `layout.rs` has the
; addresses, which are written in front of this text, and the offsets in both records.
;
; Before the first case it unmaps all that the kernel has mapped for it, so that addresses are what the
; memory map of `layout.rs` says, and gives up all system calls but read, write and exit.

        .686
        .xmm
        .model flat
        option casemap:none

; System calls, by the numbers of 32-bit programs.
SYS_EXIT            equ 1
SYS_READ            equ 3
SYS_WRITE           equ 4
SYS_MUNMAP          equ 91
SYS_MPROTECT        equ 125
SYS_PRCTL           equ 172
SYS_RT_SIGACTION    equ 174
SYS_SIGALTSTACK     equ 186
SYS_MMAP2           equ 192
SYS_SET_THREAD_AREA equ 243
FIRST_ERROR         equ 0FFFFF001h

PROT_READ           equ 1
PROT_READ_WRITE     equ 3
PROT_ALL            equ 7
; MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS
FRESH_AT            equ 32h
PR_SET_PDEATHSIG    equ 1
PR_SET_SECCOMP      equ 22
SECCOMP_STRICT      equ 1
SIGILL              equ 4
SIGTRAP             equ 5
SIGBUS              equ 7
SIGFPE              equ 8
SIGKILL             equ 9
SIGSEGV             equ 11
; SA_SIGINFO, SA_RESTORER, SA_ONSTACK, SA_NODEFER
ACTION_FLAGS        equ 4C000004h
SIGNAL_SET_BYTES    equ 8

; A 32-bit data segment with its limit in bytes, or in pages.
IN_BYTES            equ 41h
IN_PAGES            equ 51h
; A selector of the GDT for ring 3 is eight times the number of the entry, and this.
RING_3              equ 3

PAGE_BYTES          equ 1000h
DWORDS_OF_PAGE      equ 400h
WINDOW_DWORDS       equ WINDOW_BYTES / 4
; Spreads addresses: the fractional part of the golden ratio.
SPREAD              equ 9E3779B1h
BREAKPOINTS         equ 0CCCCCCCCh

; Offsets in the frame of a signal.
FRAME_CONTEXT       equ 12
CONTEXT_EDI         equ 36
CONTEXT_ESI         equ 40
CONTEXT_EBP         equ 44
CONTEXT_ESP         equ 48
CONTEXT_EBX         equ 52
CONTEXT_EDX         equ 56
CONTEXT_ECX         equ 60
CONTEXT_EAX         equ 64
CONTEXT_VECTOR      equ 68
CONTEXT_ERROR       equ 72
CONTEXT_EIP         equ 76
CONTEXT_FLAGS       equ 84
CONTEXT_EXTENDED    equ 96
CONTEXT_CR2         equ 104
; What FXSAVE stores comes after what FSAVE stores.
EXTENDED_IMAGE      equ 112
EXTENDED_DWORDS     equ 128

        .data?
        align 16
; The offsets in both are known to `layout.rs`, too.
request         db REQUEST_BYTES dup(?)
        align 16
result          db RESULT_BYTES dup(?)
changes         dd 2 * MOST_CHANGES dup(?)
shadow_code     dd 2 * DWORDS_OF_PAGE dup(?)
shadow_data     dd 3 * DWORDS_OF_PAGE dup(?)
shadow_teb      dd DWORDS_OF_PAGE dup(?)
shadow_stack    dd 2 * DWORDS_OF_PAGE dup(?)
signal_stack    db SIGNAL_STACK_BYTES dup(?)
                dd 256 dup(?)
stack_top       dd ?

        .data
; Live, kept, size in dwords, whether it is code.
regions         dd CODE, offset shadow_code, 2 * DWORDS_OF_PAGE, 1
                dd DATA, offset shadow_data, 3 * DWORDS_OF_PAGE, 0
                dd TEB, offset shadow_teb, DWORDS_OF_PAGE, 0
                dd STACK, offset shadow_stack, 2 * DWORDS_OF_PAGE, 0
                dd 0

; System calls before memory is filled, and after: number and arguments.
before          dd SYS_MUNMAP, LOWEST, IMAGE - LOWEST, 0, 0, 0, 0
                dd SYS_MUNMAP, IMAGE_END, HIGHEST - IMAGE_END, 0, 0, 0, 0
                dd SYS_MMAP2, CODE, 2 * PAGE_BYTES, PROT_ALL, FRESH_AT, -1, 0
                dd SYS_MMAP2, DATA, 3 * PAGE_BYTES, PROT_READ_WRITE, FRESH_AT, -1, 0
                dd SYS_MMAP2, FORBIDDEN, PAGE_BYTES, 0, FRESH_AT, -1, 0
                dd SYS_MMAP2, TEB, PAGE_BYTES, PROT_READ_WRITE, FRESH_AT, -1, 0
                dd SYS_MMAP2, STACK, 2 * PAGE_BYTES, PROT_READ_WRITE, FRESH_AT, -1, 0
                dd 0
after           dd SYS_MPROTECT, READ_ONLY, PAGE_BYTES, PROT_READ, 0, 0, 0
                dd SYS_SET_THREAD_AREA, offset fs_segment, 0, 0, 0, 0, 0
                dd SYS_SET_THREAD_AREA, offset gs_segment, 0, 0, 0, 0, 0
                dd SYS_SIGALTSTACK, offset alternate, 0, 0, 0, 0, 0
                dd SYS_RT_SIGACTION, SIGILL, offset action, 0, SIGNAL_SET_BYTES, 0, 0
                dd SYS_RT_SIGACTION, SIGTRAP, offset action, 0, SIGNAL_SET_BYTES, 0, 0
                dd SYS_RT_SIGACTION, SIGBUS, offset action, 0, SIGNAL_SET_BYTES, 0, 0
                dd SYS_RT_SIGACTION, SIGFPE, offset action, 0, SIGNAL_SET_BYTES, 0, 0
                dd SYS_RT_SIGACTION, SIGSEGV, offset action, 0, SIGNAL_SET_BYTES, 0, 0
                dd SYS_PRCTL, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0, 0
                dd SYS_PRCTL, PR_SET_SECCOMP, SECCOMP_STRICT, 0, 0, 0, 0
                dd 0

; Entry of the GDT, to be found; base; limit; kind.
fs_segment      dd -1, TEB, PAGE_BYTES - 1, IN_BYTES
gs_segment      dd -1, DATA, 0FFFFFh, IN_PAGES
alternate       dd offset signal_stack, 0, SIGNAL_STACK_BYTES
; Handler, flags, restorer, mask.
action          dd offset handler, ACTION_FLAGS, offset handler, 0, 0
; Where the last case had its code.
old_code        dd CODE

; What is told first: the selectors.
hello           dd MAGIC
hello_cs        dd ?
hello_ds        dd ?
hello_es        dd ?
hello_ss        dd ?
hello_fs        dd ?
hello_gs        dd ?
HELLO_BYTES     equ $ - hello

        .code
start:
        mov     esp, offset stack_top
        mov     edi, offset before
        call    call_all
        call    fill_all
        mov     edi, offset after
        call    call_all

        mov     eax, fs_segment
        lea     eax, [eax * 8 + RING_3]
        mov     fs, ax
        mov     eax, gs_segment
        lea     eax, [eax * 8 + RING_3]
        mov     gs, ax
        mov     eax, cs
        mov     hello_cs, eax
        mov     eax, ds
        mov     hello_ds, eax
        mov     eax, es
        mov     hello_es, eax
        mov     eax, ss
        mov     hello_ss, eax
        mov     eax, fs
        mov     hello_fs, eax
        mov     eax, gs
        mov     hello_gs, eax
        mov     ecx, offset hello
        mov     edx, HELLO_BYTES
        call    write_all
        jmp     next_case

; Makes the system calls of the list at EDI; ends the program with the number of the first that fails.
call_all:
        cmp     dword ptr [edi], 0
        je      called
        push    edi
        mov     eax, [edi]
        mov     ebx, [edi + 4]
        mov     ecx, [edi + 8]
        mov     edx, [edi + 12]
        mov     esi, [edi + 16]
        mov     ebp, [edi + 24]
        mov     edi, [edi + 20]
        int     80h
        pop     edi
        cmp     eax, FIRST_ERROR
        jae     cannot
        add     edi, 28
        jmp     call_all
cannot:
        mov     ebx, [edi]
        mov     eax, SYS_EXIT
        int     80h
called:
        ret

; Fills the regions, and what is kept of them.
fill_all:
        mov     ebx, offset regions
fill_region:
        mov     esi, [ebx]
        test    esi, esi
        jz      filled
        mov     edi, [ebx + 4]
        mov     ecx, [ebx + 8]
        shl     ecx, 2
fill_byte:
        mov     eax, BREAKPOINTS
        cmp     dword ptr [ebx + 12], 0
        jne     store_byte
        imul    eax, esi, SPREAD
        shr     eax, 24
store_byte:
        mov     [esi], al
        mov     [edi], al
        inc     esi
        inc     edi
        dec     ecx
        jnz     fill_byte
        add     ebx, 16
        jmp     fill_region
filled:
        ret

; Writes EDX bytes at ECX. If nobody reads any more, the program ends.
write_all:
        mov     eax, SYS_WRITE
        mov     ebx, 1
        int     80h
        test    eax, eax
        jle     finish
        add     ecx, eax
        sub     edx, eax
        jnz     write_all
        ret

finish:
        mov     eax, SYS_EXIT
        xor     ebx, ebx
        int     80h

; The end of a case. The stack is that of signals, the flags are those of the case.
handler:
        push    2
        popfd
        mov     ebp, [esp + FRAME_CONTEXT]
        mov     edi, offset result + RESULT_REGISTERS
        mov     eax, [ebp + CONTEXT_EAX]
        stosd
        mov     eax, [ebp + CONTEXT_ECX]
        stosd
        mov     eax, [ebp + CONTEXT_EDX]
        stosd
        mov     eax, [ebp + CONTEXT_EBX]
        stosd
        mov     eax, [ebp + CONTEXT_ESP]
        stosd
        mov     eax, [ebp + CONTEXT_EBP]
        stosd
        mov     eax, [ebp + CONTEXT_ESI]
        stosd
        mov     eax, [ebp + CONTEXT_EDI]
        stosd
        mov     eax, [ebp + CONTEXT_FLAGS]
        stosd
        mov     eax, [ebp + CONTEXT_EIP]
        stosd
        mov     eax, [ebp + CONTEXT_VECTOR]
        stosd
        mov     eax, [ebp + CONTEXT_ERROR]
        stosd
        mov     eax, [ebp + CONTEXT_CR2]
        stosd
        mov     esi, [ebp + CONTEXT_EXTENDED]
        add     esi, EXTENDED_IMAGE
        mov     edi, offset result
        mov     ecx, EXTENDED_DWORDS
        rep     movsd

; What has changed in memory is told, and changed back.
        mov     ebx, offset changes
        mov     edx, offset regions
compare_region:
        mov     esi, [edx]
        test    esi, esi
        jz      compared
        mov     edi, [edx + 4]
        mov     ecx, [edx + 8]
compare:
        repe    cmpsd
        je      region_compared
        lea     eax, [esi - 4]
        mov     [ebx], eax
        mov     eax, [esi - 4]
        mov     [ebx + 4], eax
        add     ebx, 8
        mov     eax, [edi - 4]
        mov     [esi - 4], eax
        test    ecx, ecx
        jnz     compare
region_compared:
        add     edx, 16
        jmp     compare_region
compared:
        mov     edx, ebx
        sub     ebx, offset changes
        shr     ebx, 3
        mov     dword ptr result[RESULT_COUNT], ebx
        mov     ecx, offset result
        sub     edx, ecx
        call    write_all
        mov     esp, offset stack_top

next_case:
        mov     edi, old_code
        mov     eax, BREAKPOINTS
        mov     ecx, WINDOW_DWORDS
        rep     stosd
        mov     edi, old_code
        sub     edi, CODE
        add     edi, offset shadow_code
        mov     ecx, WINDOW_DWORDS
        rep     stosd

        mov     ecx, offset request
        mov     edx, REQUEST_BYTES
read_more:
        mov     eax, SYS_READ
        xor     ebx, ebx
        int     80h
        test    eax, eax
        jle     finish
        add     ecx, eax
        sub     edx, eax
        jnz     read_more

        mov     edi, dword ptr request[REQUEST_CODE_AT]
        mov     old_code, edi
        mov     esi, offset request + REQUEST_CODE
        mov     ecx, WINDOW_DWORDS
        rep     movsd
        mov     edi, old_code
        sub     edi, CODE
        add     edi, offset shadow_code
        mov     esi, offset request + REQUEST_CODE
        mov     ecx, WINDOW_DWORDS
        rep     movsd
        mov     edi, DATA_BLOCK
        mov     esi, offset request + REQUEST_DATA
        mov     ecx, WINDOW_DWORDS
        rep     movsd
        mov     edi, offset shadow_data + DATA_BLOCK - DATA
        mov     esi, offset request + REQUEST_DATA
        mov     ecx, WINDOW_DWORDS
        rep     movsd

; Nothing from here on changes a flag.
        mov     esi, offset request
        fxrstor [esi]
        push    dword ptr request[REQUEST_FLAGS]
        popfd
        mov     eax, dword ptr request[REQUEST_REGISTERS]
        mov     ecx, dword ptr request[REQUEST_REGISTERS + 4]
        mov     edx, dword ptr request[REQUEST_REGISTERS + 8]
        mov     ebx, dword ptr request[REQUEST_REGISTERS + 12]
        mov     esp, dword ptr request[REQUEST_REGISTERS + 16]
        mov     ebp, dword ptr request[REQUEST_REGISTERS + 20]
        mov     esi, dword ptr request[REQUEST_REGISTERS + 24]
        mov     edi, dword ptr request[REQUEST_REGISTERS + 28]
        jmp     dword ptr request[REQUEST_EIP]
        end     start
