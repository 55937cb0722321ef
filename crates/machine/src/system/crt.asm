; What msvcrt.dll has for compilers: the handler of frames with a scope table, unwinding within
; such a frame, and jumps out of functions.

; The frame that compilers build, with the registration in it.
SCOPED_FRAME struct
    prev       dd ?
    handler    dd ?
    scopeTable dd ?
    tryLevel   dd ?
    savedEbp   dd ?
SCOPED_FRAME ends
POINTERS_OFFSET equ -4                  ; where the filter finds its EXCEPTION_POINTERS

; A row of the scope table. Without a filter the handler is a `finally`.
SCOPE struct
    enclosing dd ?
    filter    dd ?
    handler   dd ?
SCOPE ends

; The registration under which `finally` blocks run.
LOCAL_GUARD struct
    prev    dd ?
    handler dd ?
    frame   dd ?
    level   dd ?
LOCAL_GUARD ends

NO_LEVEL        equ -1

; Where longjmp finds what setjmp has left.
JUMP_BUFFER struct
    savedEbp     dd ?
    savedEbx     dd ?
    savedEdi     dd ?
    savedEsi     dd ?
    savedEsp     dd ?
    savedEip     dd ?
    registration dd ?
    tryLevel     dd ?
    cookie       dd ?
    unwindFunc   dd ?
    unwindData   dd 6 dup (?)
JUMP_BUFFER ends
JUMP_COOKIE     equ 56433230h           ; 'VC20'

        .code
; The handler of frames with a scope table.
_except_handler3 proc C uses ebx esi edi pRecord:DWORD, pFrame:DWORD, pContext:DWORD, pDispatcher:DWORD
        local   pointers:EXCEPTION_POINTERS
        cld
        mov     ebx, pFrame
        assume  ebx:ptr SCOPED_FRAME, edi:ptr SCOPE
        mov     eax, pRecord
        .if [eax].EXCEPTION_RECORD.ExceptionFlags & UNWIND_FLAGS
            invoke _local_unwind2, ebx, NO_LEVEL
            mov eax, ExceptionContinueSearch
            ret
        .endif
        mov     pointers.pExceptionRecord, eax
        mov     eax, pContext
        mov     pointers.ContextRecord, eax
        lea     eax, pointers
        mov     [ebx+POINTERS_OFFSET], eax
        mov     esi, [ebx].tryLevel
        .while  esi != NO_LEVEL
            imul edi, esi, sizeof SCOPE
            add edi, [ebx].scopeTable
            .if [edi].filter
                invoke CallInFrame, ebx, [edi].filter
                .if sdword ptr eax < 0
                    mov eax, ExceptionContinueExecution
                    ret
                .elseif eax
                    invoke _global_unwind2, ebx
                    invoke _local_unwind2, ebx, esi
                    mov eax, [edi].enclosing
                    mov [ebx].tryLevel, eax
                    mov eax, [edi].handler
                    lea ebp, [ebx].savedEbp
                    xor ebx, ebx
                    xor ecx, ecx
                    xor edx, edx
                    xor esi, esi
                    xor edi, edi
                    jmp eax
                .endif
            .endif
            mov esi, [edi].enclosing
        .endw
        mov     eax, ExceptionContinueSearch
        ret
        assume  ebx:nothing, edi:nothing
_except_handler3 endp

; Calls a piece of a function with the function's EBP.
CallInFrame proc uses ebx esi edi frame:DWORD, code:DWORD
        mov     eax, code
        mov     ecx, frame
        push    ebp
        lea     ebp, [ecx].SCOPED_FRAME.savedEbp
        xor     ebx, ebx
        xor     ecx, ecx
        xor     edx, edx
        xor     esi, esi
        xor     edi, edi
        call    eax
        pop     ebp
        ret
CallInFrame endp

; Runs the `finally` blocks of a frame from where it is out to a level.
_local_unwind2 proc C uses ebx esi edi frame:DWORD, stop:DWORD
        local   guard:LOCAL_GUARD
        mov     ebx, frame
        assume  ebx:ptr SCOPED_FRAME, edi:ptr SCOPE
        mov     guard.frame, ebx
        mov     eax, stop
        mov     guard.level, eax
        mov     guard.handler, offset LocalUnwindHandler
        mov     eax, fs:[0]
        mov     guard.prev, eax
        lea     eax, guard
        mov     fs:[0], eax
        mov     esi, [ebx].tryLevel
        .while  esi != NO_LEVEL && esi != stop
            imul edi, esi, sizeof SCOPE
            add edi, [ebx].scopeTable
            mov eax, [edi].enclosing
            mov [ebx].tryLevel, eax
            .if ![edi].filter
                invoke CallInFrame, ebx, [edi].handler
            .endif
            mov esi, [ebx].tryLevel
        .endw
        mov     eax, guard.prev
        mov     fs:[0], eax
        ret
        assume  ebx:nothing, edi:nothing
_local_unwind2 endp

; A `finally` block was left by another unwind: that one runs the rest of the blocks.
LocalUnwindHandler proc C pRecord:DWORD, pGuard:DWORD, pContext:DWORD, pDispatcher:DWORD
        mov     ecx, pRecord
        mov     eax, ExceptionContinueSearch
        test    [ecx].EXCEPTION_RECORD.ExceptionFlags, UNWIND_FLAGS
        jz      done
        mov     ecx, pGuard
        invoke  _local_unwind2, [ecx].LOCAL_GUARD.frame, [ecx].LOCAL_GUARD.level
        mov     ecx, pGuard
        mov     edx, pDispatcher
        mov     [edx], ecx
        mov     eax, COLLIDED_UNWIND
done:   ret
LocalUnwindHandler endp

_global_unwind2 proc C frame:DWORD
        invoke  GlobalUnwind, frame
        ret
_global_unwind2 endp

; The filter around the main function: exceptions that no signal stands for go to the system's.
_XcptFilter proc C code:DWORD, pPointers:DWORD
        invoke  UnhandledExceptionFilter, pPointers
        ret
_XcptFilter endp

; Returns whether the `finally` block that calls this runs because of an unwind.
_abnormal_termination proc C
        mov     ecx, fs:[0]
        xor     eax, eax
        .if [ecx].LOCAL_GUARD.handler == offset LocalUnwindHandler
            mov edx, [ecx].LOCAL_GUARD.frame
            lea edx, [edx].SCOPED_FRAME.savedEbp
            .if edx == ebp
                inc eax
            .endif
        .endif
        ret
_abnormal_termination endp

; _setjmp(buffer): the old form, without a place for an unwind function.
_setjmp proc
        mov     edx, [esp+4]
        call    SaveJump
        xor     eax, eax
        retn
_setjmp endp

; _setjmp3(buffer, count, ...): behind the count, the unwind function, the try level and data.
_setjmp3 proc
        mov     edx, [esp+4]
        call    SaveJump
        mov     [edx].JUMP_BUFFER.cookie, JUMP_COOKIE
        mov     [edx].JUMP_BUFFER.unwindFunc, 0
        mov     ecx, [esp+8]
        .if ecx
            mov eax, [esp+12]
            mov [edx].JUMP_BUFFER.unwindFunc, eax
            dec ecx
            .if ecx
                mov eax, [esp+16]
                mov [edx].JUMP_BUFFER.tryLevel, eax
                dec ecx
                .if ecx > lengthof JUMP_BUFFER.unwindData
                    mov ecx, lengthof JUMP_BUFFER.unwindData
                .endif
                push esi
                push edi
                lea esi, [esp+20+8]
                lea edi, [edx].JUMP_BUFFER.unwindData
                cld
                rep movsd
                pop edi
                pop esi
            .endif
        .endif
        xor     eax, eax
        retn
_setjmp3 endp

; Saves the registers as behind the call of setjmp: two return addresses are on the stack.
SaveJump proc
        assume  edx:ptr JUMP_BUFFER
        mov     [edx].savedEbp, ebp
        mov     [edx].savedEbx, ebx
        mov     [edx].savedEdi, edi
        mov     [edx].savedEsi, esi
        lea     eax, [esp+4]
        mov     [edx].savedEsp, eax
        mov     eax, [esp+4]
        mov     [edx].savedEip, eax
        mov     eax, fs:[0]
        mov     [edx].registration, eax
        mov     [edx].tryLevel, NO_LEVEL
        .if eax != END_OF_CHAIN
            .if [eax].SCOPED_FRAME.handler == offset _except_handler3
                mov eax, [eax].SCOPED_FRAME.tryLevel
                mov [edx].tryLevel, eax
            .endif
        .endif
        assume  edx:nothing
        retn
SaveJump endp

; longjmp(buffer, value): unwinds to the frame of the setjmp and returns from there once more.
longjmp proc
        mov     ebp, [esp+4]
        mov     esi, [esp+8]
        assume  ebp:ptr JUMP_BUFFER
        mov     ebx, [ebp].registration
        .if ebx != fs:[0]
            invoke GlobalUnwind, ebx
        .endif
        .if ebx != END_OF_CHAIN
            .if [ebp].cookie == JUMP_COOKIE && [ebp].unwindFunc
                push ebp
                call [ebp].unwindFunc
            .elseif [ebx].SCOPED_FRAME.handler == offset _except_handler3
                invoke _local_unwind2, ebx, [ebp].tryLevel
            .endif
        .endif
        mov     edx, ebp
        mov     eax, esi
        .if !eax
            inc eax
        .endif
        assume  ebp:nothing, edx:ptr JUMP_BUFFER
        mov     ebp, [edx].savedEbp
        mov     ebx, [edx].savedEbx
        mov     edi, [edx].savedEdi
        mov     esi, [edx].savedEsi
        mov     esp, [edx].savedEsp
        add     esp, 4
        jmp     [edx].savedEip
        assume  edx:nothing
longjmp endp
