; What runs in the program's mode besides exceptions: calls that are queued for a thread, one-time
; initialisation, and arithmetic whose result is on the x87 stack.

; A call as PagefaultNextCall gives it.
QUEUED_CALL struct
    function  dd ?
    count     dd ?
    arguments dd 3 dup (?)
QUEUED_CALL ends

INIT_ONCE_FAILED equ 4

PagefaultNextCall       proto :DWORD
InitOnceBeginInitialize proto :DWORD, :DWORD, :DWORD, :DWORD
InitOnceComplete        proto :DWORD, :DWORD, :DWORD

        .code
; Makes the calls that are queued for the thread, and goes on where the stack says. EAX and the
; registers that functions keep stay as they are.
RunQueued proc
        push    eax
        push    ebx
        push    esi
        sub     esp, sizeof QUEUED_CALL
        mov     esi, esp
        assume  esi:ptr QUEUED_CALL
next:   invoke  PagefaultNextCall, esi
        test    eax, eax
        jz      done
        mov     ebx, [esi].count
        .while  ebx
            dec ebx
            push [esi].arguments[ebx*4]
        .endw
        call    [esi].function
        mov     esp, esi                ; also for functions that leave their arguments there
        jmp     next
done:   add     esp, sizeof QUEUED_CALL
        pop     esi
        pop     ebx
        pop     eax
        retn
        assume  esi:nothing
RunQueued endp

; Has the first thread that comes call the function, and the others wait for that.
InitOnceExecuteOnce proc once:DWORD, function:DWORD, parameter:DWORD, pContext:DWORD
        local   pending:DWORD, value:DWORD
        mov     value, 0
        invoke  InitOnceBeginInitialize, once, 0, addr pending, addr value
        .if     !eax
            ret
        .endif
        .if     pending
            lea eax, value
            push eax
            push parameter
            push once
            call function
            .if !eax
                invoke InitOnceComplete, once, INIT_ONCE_FAILED, 0
                xor eax, eax
                ret
            .endif
            invoke InitOnceComplete, once, 0, value
            .if !eax
                ret
            .endif
        .endif
        mov     ecx, pContext
        .if     ecx
            mov eax, value
            mov [ecx], eax
        .endif
        mov     eax, TRUE
        ret
InitOnceExecuteOnce endp

; modf(x, place): stores the whole part and returns the rest.
modf    proc    C x:REAL8, place:DWORD
        local   control:WORD, chopping:WORD
        fnstcw  control
        mov     ax, control
        or      ax, 0C00h
        mov     chopping, ax
        fldcw   chopping
        fld     x
        frndint
        fldcw   control
        mov     eax, place
        fst     qword ptr [eax]
        fsubr   x
        ret
modf    endp

; ldexp(x, n): x times two to the power of n.
ldexp   proc    C x:REAL8, n:DWORD
        fild    n
        fld     x
        fscale
        fstp    st(1)
        ret
ldexp   endp

; _copysign(x, y): x with the sign of y.
_copysign proc  C x:REAL8, y:REAL8
        mov     eax, dword ptr y[4]
        mov     ecx, dword ptr x[4]
        and     eax, 80000000h
        and     ecx, 7FFFFFFFh
        or      ecx, eax
        mov     dword ptr x[4], ecx
        fld     x
        ret
_copysign endp
