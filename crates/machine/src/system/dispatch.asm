; What Windows does about exceptions in the program's own mode: the dispatcher to which the kernel
; passes control, the search of the frames that hang at fs:[0], raising and unwinding.

; Bits of EXCEPTION_RECORD.ExceptionFlags that programs do not set themselves.
EXCEPTION_STACK_INVALID equ 8
EXCEPTION_NESTED_CALL   equ 10h
; EXCEPTION_UNWINDING, EXCEPTION_EXIT_UNWIND, and two that compilers know.
UNWIND_FLAGS            equ 66h

; What handlers return, beside ExceptionContinueExecution and ExceptionContinueSearch.
NESTED_EXCEPTION        equ 2
COLLIDED_UNWIND         equ 3

END_OF_CHAIN            equ -1
STATUS_UNWIND           equ 0C0000027h
STATUS_BAD_STACK        equ 0C0000028h
STATUS_INVALID_UNWIND_TARGET equ 0C0000029h

; Fields of the TEB and the PEB.
TEB_STACK_BASE          equ 4
TEB_STACK_LIMIT         equ 8
TEB_PEB                 equ 30h
PEB_HAS_VECTORED        equ 28h         ; a bit for each list that has handlers
VECTORED_BIT            equ 4           ; that of the first list

; The lists of vectored handlers.
EXCEPTION_HANDLERS      equ 0
CONTINUE_HANDLERS       equ 1

; The registration that guards a call of a handler: behind it, the frame whose handler runs.
GUARD struct
    prev    dd ?
    handler dd ?
    frame   dd ?
GUARD ends

        .data
topFilter dd 0                          ; what SetUnhandledExceptionFilter has set

        .code
; Where the kernel starts a thread that has raised an exception: [esp] points to the record,
; [esp+4] to the context.
KiUserExceptionDispatcher proc
        cld
        mov     ebx, [esp]
        mov     esi, [esp+4]
        invoke  RtlDispatchException, ebx, esi
        .if al
            invoke NtContinue, esi, FALSE
        .else
            invoke NtRaiseException, ebx, esi, FALSE
        .endif
        ; Only a context that cannot be used comes back.
        invoke  RaiseOver, eax, ebx
        int     3
KiUserExceptionDispatcher endp

; Where a thread starts that has functions to call first: ESI points to their list, EDI is the
; image, EBX the reason, EBP the place to go to.
CallFirst proc
next:   mov     eax, [esi]
        add     esi, 4
        .if eax
            push 0
            push ebx
            push edi
            call eax
            jmp next
        .endif
        mov     eax, ebp
        mov     ebx, fs:[TEB_PEB]
        xor     ebp, ebp
        xor     esi, esi
        xor     edi, edi
        jmp     eax
CallFirst endp

; Stops under a debugger.
DebugBreak proc
        int     3
        retn
DebugBreak endp

DbgBreakPoint proc
        int     3
        retn
DbgBreakPoint endp

; Looks for somebody who handles the exception: the vectored handlers, then those of the frames.
; Returns TRUE if the program is to go on with the context.
RtlDispatchException proc uses ebx esi edi pRecord:DWORD, pContext:DWORD
        local   active:DWORD            ; the frame whose handler raised the exception
        invoke  CallVectored, EXCEPTION_HANDLERS, pRecord, pContext
        test    eax, eax
        jnz     handled
        mov     esi, pRecord
        assume  esi:ptr EXCEPTION_RECORD
        assume  ebx:ptr EXCEPTION_REGISTRATION
        xor     edi, edi                ; the outermost frame in which an exception is nested
        mov     ebx, fs:[0]
        .while  ebx != END_OF_CHAIN
            invoke IsFrame, ebx
            .if !eax
                or [esi].ExceptionFlags, EXCEPTION_STACK_INVALID
                jmp unhandled
            .endif
            invoke ExecuteHandler, esi, ebx, pContext, addr active, NestedHandler
            .if edi == ebx
                and [esi].ExceptionFlags, not EXCEPTION_NESTED_CALL
                xor edi, edi
            .endif
            .if eax == ExceptionContinueExecution
                test [esi].ExceptionFlags, EXCEPTION_NONCONTINUABLE
                jz handled
                invoke RaiseOver, STATUS_NONCONTINUABLE_EXCEPTION, esi
            .elseif eax == NESTED_EXCEPTION
                or [esi].ExceptionFlags, EXCEPTION_NESTED_CALL
                .if active > edi
                    mov edi, active
                .endif
            .elseif eax != ExceptionContinueSearch
                invoke RaiseOver, STATUS_INVALID_DISPOSITION, esi
            .endif
            test [esi].ExceptionFlags, EXCEPTION_STACK_INVALID
            jnz unhandled
            mov ebx, [ebx].prev
        .endw
unhandled:
        xor     eax, eax
        ret
handled:
        invoke  CallVectored, CONTINUE_HANDLERS, pRecord, pContext
        mov     eax, TRUE
        ret
        assume  esi:nothing, ebx:nothing
RtlDispatchException endp

; Calls the vectored handlers of a list until one says that the program goes on.
CallVectored proc uses ebx esi list:DWORD, pRecord:DWORD, pContext:DWORD
        local   pointers:EXCEPTION_POINTERS
        local   handler:DWORD
        mov     ecx, list
        mov     eax, VECTORED_BIT
        shl     eax, cl
        mov     edx, fs:[TEB_PEB]
        test    [edx+PEB_HAS_VECTORED], eax
        jz      none
        mov     eax, pRecord
        mov     pointers.pExceptionRecord, eax
        mov     eax, pContext
        mov     pointers.ContextRecord, eax
        xor     ebx, ebx                ; before the first one
next:   invoke  PagefaultNextHandler, list, ebx, addr handler
        test    eax, eax
        jz      none
        mov     ebx, eax
        mov     esi, esp
        lea     eax, pointers
        push    eax
        call    handler
        mov     esp, esi                ; whoever removed the argument
        cmp     eax, EXCEPTION_CONTINUE_EXECUTION
        jne     next
        mov     eax, TRUE
        ret
none:   xor     eax, eax
        ret
CallVectored endp

; Returns whether a registration lies in the stack and its handler is code elsewhere.
IsFrame proc frame:DWORD
        mov     eax, frame
        test    al, 3
        jnz     bad
        cmp     eax, fs:[TEB_STACK_LIMIT]
        jb      bad
        lea     ecx, [eax+sizeof EXCEPTION_REGISTRATION]
        cmp     ecx, fs:[TEB_STACK_BASE]
        ja      bad
        mov     ecx, [eax].EXCEPTION_REGISTRATION.handler
        .if ecx >= fs:[TEB_STACK_LIMIT] && ecx < fs:[TEB_STACK_BASE]
            jmp bad
        .endif
        .if ecx == offset TopHandler || ecx == offset NestedHandler || ecx == offset CollidedHandler
            mov eax, TRUE
            ret
        .endif
        invoke  PagefaultIsCode, ecx
        ret
bad:    xor     eax, eax
        ret
IsFrame endp

; Calls a frame's handler, with a registration below that says whose it is. Handlers clean the stack or not, as they like.
ExecuteHandler proc uses ebx esi edi pRecord:DWORD, frame:DWORD, pContext:DWORD, pDispatcher:DWORD, guard:DWORD
        push    frame
        push    guard
        push    dword ptr fs:[0]
        mov     fs:[0], esp
        push    pDispatcher
        push    pContext
        push    frame
        push    pRecord
        mov     ecx, frame
        mov     ecx, [ecx].EXCEPTION_REGISTRATION.handler
        xor     eax, eax
        xor     ebx, ebx
        xor     esi, esi
        xor     edi, edi
        call    ecx
        mov     esp, fs:[0]
        pop     dword ptr fs:[0]
        lea     esp, [ebp-12]           ; where the registers are
        ret
ExecuteHandler endp

; The guard's handler while an exception is dispatched: another one was raised by a handler.
NestedHandler proc C pRecord:DWORD, pGuard:DWORD, pContext:DWORD, pDispatcher:DWORD
        mov     ecx, pRecord
        mov     eax, ExceptionContinueSearch
        test    [ecx].EXCEPTION_RECORD.ExceptionFlags, UNWIND_FLAGS
        jnz     done
        mov     ecx, pGuard
        mov     ecx, [ecx].GUARD.frame
        mov     edx, pDispatcher
        mov     [edx], ecx
        mov     eax, NESTED_EXCEPTION
done:   ret
NestedHandler endp

; The guard's handler while frames are unwound: another unwind goes over the first one.
CollidedHandler proc C pRecord:DWORD, pGuard:DWORD, pContext:DWORD, pDispatcher:DWORD
        mov     ecx, pRecord
        mov     eax, ExceptionContinueSearch
        test    [ecx].EXCEPTION_RECORD.ExceptionFlags, UNWIND_FLAGS
        jz      done
        mov     ecx, pGuard
        mov     ecx, [ecx].GUARD.frame
        mov     edx, pDispatcher
        mov     [edx], ecx
        mov     eax, COLLIDED_UNWIND
done:   ret
CollidedHandler endp

; Raises an exception about the handling of another one. It cannot be continued.
RaiseOver proc status:DWORD, pOther:DWORD
        local   made:EXCEPTION_RECORD
        mov     eax, status
        mov     made.ExceptionCode, eax
        mov     made.ExceptionFlags, EXCEPTION_NONCONTINUABLE
        mov     eax, pOther
        mov     made.pExceptionRecord, eax
        mov     made.NumberParameters, 0
        invoke  RtlRaiseException, addr made
        ret
RaiseOver endp

; Raises an exception at the return address. No register may change before they are captured.
RtlRaiseException proc pRecord:DWORD
        lea     esp, [esp-sizeof CONTEXT]
        push    esp
        call    RtlCaptureContext
        mov     esi, esp
        assume  esi:ptr CONTEXT
        mov     ebx, pRecord
        add     [esi].regEsp, 4         ; as behind the call
        mov     eax, [ebp+4]
        mov     [ebx].EXCEPTION_RECORD.ExceptionAddress, eax
        invoke  RtlDispatchException, ebx, esi
        .if al
            invoke NtContinue, esi, FALSE
        .else
            invoke NtRaiseException, ebx, esi, FALSE
        .endif
        assume  esi:nothing
        invoke  RaiseOver, eax, ebx
        int     3
RtlRaiseException endp

; Raises an exception of the program's own.
RaiseException proc uses esi edi code:DWORD, flags:DWORD, count:DWORD, pArguments:DWORD
        local   made:EXCEPTION_RECORD
        mov     eax, code
        mov     made.ExceptionCode, eax
        mov     eax, flags
        and     eax, EXCEPTION_NONCONTINUABLE
        mov     made.ExceptionFlags, eax
        mov     made.pExceptionRecord, NULL
        mov     made.ExceptionAddress, offset RaiseException
        xor     ecx, ecx
        mov     esi, pArguments
        .if esi
            mov ecx, count
            .if ecx > EXCEPTION_MAXIMUM_PARAMETERS
                mov ecx, EXCEPTION_MAXIMUM_PARAMETERS
            .endif
        .endif
        mov     made.NumberParameters, ecx
        lea     edi, made.ExceptionInformation
        cld
        rep     movsd
        invoke  RtlRaiseException, addr made
        ret
RaiseException endp

; RtlRaiseStatus(status): raises an exception that cannot be continued.
RtlRaiseStatus proc status:DWORD
        invoke  RaiseOver, status, NULL
        ret
RtlRaiseStatus endp

; RtlCaptureContext(context): the registers as they are, with EIP, ESP and EBP as behind the
; return of the caller, which needs a frame of its own.
RtlCaptureContext proc
        push    ebx
        mov     ebx, [esp+8]
        assume  ebx:ptr CONTEXT
        mov     [ebx].regEax, eax
        mov     [ebx].regEcx, ecx
        mov     [ebx].regEdx, edx
        mov     [ebx].regEsi, esi
        mov     [ebx].regEdi, edi
        pushfd
        pop     [ebx].regFlag
        mov     eax, [esp]
        mov     [ebx].regEbx, eax
        mov     eax, [ebp]
        mov     [ebx].regEbp, eax
        mov     eax, [ebp+4]
        mov     [ebx].regEip, eax
        lea     eax, [ebp+8]
        mov     [ebx].regEsp, eax
        mov     eax, cs
        mov     [ebx].regCs, eax
        mov     eax, ds
        mov     [ebx].regDs, eax
        mov     eax, es
        mov     [ebx].regEs, eax
        mov     eax, fs
        mov     [ebx].regFs, eax
        mov     eax, gs
        mov     [ebx].regGs, eax
        mov     eax, ss
        mov     [ebx].regSs, eax
        mov     [ebx].ContextFlags, CONTEXT_FULL
        assume  ebx:nothing
        pop     ebx
        retn    4
RtlCaptureContext endp

; Calls the handlers of all frames inside `frame` a last time, takes them off the chain, and returns
; to the caller with `value` in EAX. The address is not used, as on Windows.
RtlUnwind proc frame:DWORD, address:DWORD, pOther:DWORD, value:DWORD
        lea     esp, [esp-sizeof CONTEXT-sizeof EXCEPTION_RECORD-4]
        ; [ebp-4] is the dispatcher context.
        push    esp
        call    RtlCaptureContext
        mov     edi, esp
        lea     esi, [edi+sizeof CONTEXT]
        assume  edi:ptr CONTEXT, esi:ptr EXCEPTION_RECORD, ebx:ptr EXCEPTION_REGISTRATION
        add     [edi].regEsp, 16
        mov     eax, value
        mov     [edi].regEax, eax
        mov     eax, pOther
        .if eax
            mov esi, eax
        .else
            mov [esi].ExceptionCode, STATUS_UNWIND
            mov [esi].ExceptionFlags, 0
            mov [esi].pExceptionRecord, NULL
            mov eax, [ebp+4]
            mov [esi].ExceptionAddress, eax
            mov [esi].NumberParameters, 0
        .endif
        or      [esi].ExceptionFlags, EXCEPTION_UNWINDING
        .if frame == 0
            or [esi].ExceptionFlags, EXCEPTION_EXIT_UNWIND
        .endif
        mov     ebx, fs:[0]
        .while  ebx != END_OF_CHAIN
            .if ebx == frame
                invoke NtContinue, edi, FALSE
                invoke RaiseOver, eax, esi
            .endif
            mov eax, frame
            .if eax && eax < ebx
                invoke RaiseOver, STATUS_INVALID_UNWIND_TARGET, esi
            .endif
            invoke IsFrame, ebx
            .if !eax
                invoke RaiseOver, STATUS_BAD_STACK, esi
            .endif
            lea eax, [ebp-4]
            invoke ExecuteHandler, esi, ebx, edi, eax, CollidedHandler
            .if eax == COLLIDED_UNWIND
                mov ebx, [ebp-4]
            .elseif eax != ExceptionContinueSearch
                invoke RaiseOver, STATUS_INVALID_DISPOSITION, esi
            .endif
            mov ebx, [ebx].prev
            mov fs:[0], ebx
        .endw
        .if frame == END_OF_CHAIN
            invoke NtContinue, edi, FALSE
        .else
            ; Nobody is left who could go on.
            invoke NtRaiseException, esi, edi, FALSE
        .endif
        invoke  RaiseOver, eax, esi
        int     3
        assume  edi:nothing, esi:nothing, ebx:nothing
RtlUnwind endp

; Sets the filter that is asked about exceptions that nobody handles; returns the one before.
SetUnhandledExceptionFilter proc filter:DWORD
        mov     eax, filter
        xchg    eax, topFilter
        ret
SetUnhandledExceptionFilter endp

; Asks the filter of last resort. Without one, or if it searches on, the process is to end.
UnhandledExceptionFilter proc uses esi pPointers:DWORD
        invoke  AskTopFilter, pPointers
        .if !eax
            mov eax, EXCEPTION_EXECUTE_HANDLER
        .endif
        ret
UnhandledExceptionFilter endp

AskTopFilter proc uses esi pPointers:DWORD
        mov     eax, topFilter
        .if eax
            mov esi, esp
            push pPointers
            call eax
            mov esp, esi
        .endif
        ret
AskTopFilter endp

; The handler of the outermost frame, which every thread starts with: ends the process, unless the
; filter of last resort says otherwise.
TopHandler proc C uses ebx esi pRecord:DWORD, pFrame:DWORD, pContext:DWORD, pDispatcher:DWORD
        local   pointers:EXCEPTION_POINTERS
        mov     ebx, pRecord
        assume  ebx:ptr EXCEPTION_RECORD
        test    [ebx].ExceptionFlags, UNWIND_FLAGS
        jnz     search
        mov     pointers.pExceptionRecord, ebx
        mov     eax, pContext
        mov     pointers.ContextRecord, eax
        invoke  AskTopFilter, addr pointers
        .if sdword ptr eax < 0
            mov eax, ExceptionContinueExecution
            ret
        .endif
        .if !eax
            invoke PagefaultUnhandled, ebx, pContext
        .endif
        push    dword ptr [ebx].ExceptionCode
        ; Quirk: outermost-frame
        invoke  GlobalUnwind, pFrame
        call    PagefaultEndProcess     ; with the code that was pushed
search: mov     eax, ExceptionContinueSearch
        ret
        assume  ebx:nothing
TopHandler endp

; Unwinds up to a frame, keeping the registers that functions keep.
GlobalUnwind proc C uses ebx esi edi frame:DWORD
        push    0
        push    0
        push    offset unwound
        push    frame
        call    RtlUnwind
unwound:
        ret
GlobalUnwind endp
