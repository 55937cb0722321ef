; The system's code that runs in the program's own mode. It is assembled when it is first needed
; and mapped into every process; what it exports is bound as the functions of the table are.
        .386
        .model flat, stdcall
        option casemap:none
        include windows.inc
        assume fs:nothing

; Services of the kernel, and of the machine.
NtContinue           proto :DWORD, :DWORD
NtRaiseException     proto :DWORD, :DWORD, :DWORD
PagefaultNextHandler proto :DWORD, :DWORD, :DWORD
PagefaultIsCode      proto :DWORD
PagefaultUnhandled   proto :DWORD, :DWORD
PagefaultEndProcess  proto :DWORD

RtlDispatchException proto :DWORD, :DWORD
RtlRaiseException    proto :DWORD
RtlUnwind            proto :DWORD, :DWORD, :DWORD, :DWORD
ExecuteHandler       proto :DWORD, :DWORD, :DWORD, :DWORD, :DWORD
CallVectored         proto :DWORD, :DWORD, :DWORD
IsFrame              proto :DWORD
RaiseOver            proto :DWORD, :DWORD
AskTopFilter         proto :DWORD
UnhandledExceptionFilter proto :DWORD
GlobalUnwind         proto C :DWORD
CallInFrame          proto :DWORD, :DWORD
_local_unwind2       proto C :DWORD, :DWORD
_global_unwind2      proto C :DWORD

        include dispatch.asm
        include crt.asm
        include msvcrt.asm
        include more.asm
        end KiUserExceptionDispatcher
