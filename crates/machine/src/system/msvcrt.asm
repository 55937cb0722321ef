; What of msvcrt.dll calls back into the program, returns floating-point numbers, or is data that
; programs import. The rest is emulated by the machine.

; Services of the machine.
PagefaultMath        proto :DWORD, :DWORD, :DWORD
PagefaultParseDouble proto :DWORD, :DWORD, :DWORD
PagefaultAborted     proto
ExitProcess          proto :DWORD
fflush               proto C :DWORD

FromControl          proto C :DWORD
ToControl            proto C :DWORD

STREAMS         equ 20
FILE_BYTES      equ 32
MAX_AT_EXIT     equ 1024
; Fields of the TEB: its own address, and two that only the C library knows (layout.rs).
TEB_SELF        equ 18h
TEB_ERRNO       equ 0FF0h
TEB_DOS_ERRNO   equ 0FF4h
MAX_SIGNAL      equ 32
SIGABRT         equ 22
SIG_ERR         equ -1
SIG_IGN         equ 1
ABORTED         equ 3

; Classes of characters, as _pctype tells them.
C_UPPER         equ 1
C_LOWER         equ 2
C_DIGIT         equ 4
C_SPACE         equ 8
C_PUNCT         equ 10h
C_CONTROL       equ 20h
C_BLANK         equ 40h
C_HEX           equ 80h
C_ALPHA         equ 100h

        .data
        align   4
index = 0
; One FILE: no buffer of its own, so that macros that look at _cnt call the library.
_iob    label   dword
        repeat  STREAMS
        dd      0, 0, 0, 0, index, 0, 0, 0
index = index+1
        endm

__argc          dd 0
__argv          dd 0
__wargv         dd 0
_environ        dd 0
_wenviron       dd 0
__initenv       dd 0
__winitenv      dd 0
_acmdln         dd 0
_wcmdln         dd 0
_commode        dd 0
_fmode          dd 0
__mb_cur_max    dd 1
_pctype         dd offset classes+2
_pwctype        dd offset classes+2
_HUGE           dd 0, 7FF00000h
_adjust_fdiv    dd 0
_osver          dd 23F0h
_winver         dd 602h
_winmajor       dd 6
_winminor       dd 2
_daylight       dd 0
_timezone       dd 0

; The class of EOF, and of each byte.
classes         dw 0
character = 0
        repeat  256
class = 0
        if      character lt 20h or character eq 7Fh
class = class or C_CONTROL
        endif
        if      (character ge 9 and character le 13) or character eq 20h
class = class or C_SPACE
        endif
        if      character eq 9 or character eq 20h
class = class or C_BLANK
        endif
        if      character ge '0' and character le '9'
class = C_DIGIT or C_HEX
        elseif  character ge 'A' and character le 'F'
class = C_UPPER or C_HEX or C_ALPHA
        elseif  character ge 'G' and character le 'Z'
class = C_UPPER or C_ALPHA
        elseif  character ge 'a' and character le 'f'
class = C_LOWER or C_HEX or C_ALPHA
        elseif  character ge 'g' and character le 'z'
class = C_LOWER or C_ALPHA
        elseif  character gt 20h and character lt 7Fh
class = C_PUNCT
        endif
        dw      class
character = character+1
        endm

crt_locale      db "C", 0
crt_point       db ".", 0
crt_empty       db 0
        align   4
; struct lconv of the "C" locale: texts, and then what no locale says (CHAR_MAX).
crt_lconv       dd offset crt_point, 9 dup (offset crt_empty)
                db 8 dup (7Fh)

atExitCount     dd 0
atExit          dd MAX_AT_EXIT dup (0)
signalHandlers  dd MAX_SIGNAL dup (0)

        .code
; Functions that return the address of a datum.
address macro   name:req, datum:req
name    proc    C
        mov     eax, offset datum
        ret
name    endp
        endm

; Functions that return the address of a field of the TEB.
field   macro   name:req, place:req
name    proc    C
        mov     eax, fs:[TEB_SELF]
        add     eax, place
        ret
name    endp
        endm

        field   _errno, TEB_ERRNO
        field   __doserrno, TEB_DOS_ERRNO
        address __p__iob, _iob
        address __p___argc, __argc
        address __p___argv, __argv
        address __p__environ, _environ
        address __p__wenviron, _wenviron
        address __p___initenv, __initenv
        address __p__acmdln, _acmdln
        address __p__wcmdln, _wcmdln
        address __p__commode, _commode
        address __p__fmode, _fmode
        address __p__pctype, _pctype
        address __p___mb_cur_max, __mb_cur_max
        address __iob_func, _iob
        address __pctype_func, classes+2
        address localeconv, crt_lconv

___mb_cur_max_func proc C
        mov     eax, 1
        ret
___mb_cur_max_func endp

; Functions in a table, which may hold NULL.
_initterm proc  C uses esi first:DWORD, last:DWORD
        mov     esi, first
        .while  esi < last
            mov eax, [esi]
            .if eax
                call eax
            .endif
            add esi, 4
        .endw
        ret
_initterm endp

; The same; a function that does not return 0 ends it.
_initterm_e proc C uses esi first:DWORD, last:DWORD
        mov     esi, first
        xor     eax, eax
        .while  esi < last && eax == 0
            mov eax, [esi]
            .if eax
                call eax
            .endif
            add esi, 4
        .endw
        ret
_initterm_e endp

_onexit proc    C function:DWORD
        mov     ecx, atExitCount
        .if     ecx >= MAX_AT_EXIT
            xor eax, eax
            ret
        .endif
        mov     eax, function
        mov     atExit[ecx*4], eax
        inc     atExitCount
        ret
_onexit endp

atexit  proc    C function:DWORD
        invoke  _onexit, function
        .if     eax
            xor eax, eax
        .else
            mov eax, -1
        .endif
        ret
atexit  endp

; Calls what is registered, the last one first; it may register more.
RunAtExit proc  C
        .while  atExitCount
            dec  atExitCount
            mov  ecx, atExitCount
            mov  eax, atExit[ecx*4]
            call eax
        .endw
        ret
RunAtExit endp

exit    proc    C code:DWORD
        invoke  RunAtExit
        invoke  ExitProcess, code
        ret
exit    endp

_exit   proc    C code:DWORD
        invoke  ExitProcess, code
        ret
_exit   endp

_cexit  proc    C
        invoke  RunAtExit
        invoke  fflush, 0
        ret
_cexit  endp

signal  proc    C number:DWORD, handler:DWORD
        mov     ecx, number
        .if     ecx >= MAX_SIGNAL
            mov ecx, fs:[TEB_SELF]
            mov dword ptr [ecx+TEB_ERRNO], 22
            mov eax, SIG_ERR
            ret
        .endif
        mov     eax, handler
        xchg    eax, signalHandlers[ecx*4]
        ret
signal  endp

; The handler is forgotten before it is called.
raise   proc    C number:DWORD
        mov     ecx, number
        .if     ecx >= MAX_SIGNAL
            mov eax, -1
            ret
        .endif
        xor     eax, eax
        xchg    eax, signalHandlers[ecx*4]
        .if     eax == SIG_IGN
            mov signalHandlers[ecx*4], eax
        .elseif eax
            push number
            call eax
            add esp, 4
        .else
            invoke _exit, ABORTED
        .endif
        xor     eax, eax
        ret
raise   endp

abort   proc    C
        mov     ecx, SIGABRT
        mov     eax, signalHandlers[ecx*4]
        .if     eax > SIG_IGN
            invoke raise, SIGABRT
        .endif
        invoke  PagefaultAborted
        ret
abort   endp

; Exchanges two items.
SwapItems proc  C uses esi edi ebx a:DWORD, b:DWORD, len:DWORD
        mov     esi, a
        mov     edi, b
        mov     ecx, len
        .if     esi != edi
            .while  ecx
                mov  al, [esi]
                mov  bl, [edi]
                mov  [esi], bl
                mov  [edi], al
                inc  esi
                inc  edi
                dec  ecx
            .endw
        .endif
        ret
SwapItems endp

; Sorts a short run by bringing the largest item to its end, over and over.
SortShort proc  C uses esi edi ebx first:DWORD, last:DWORD, len:DWORD, compare:DWORD
        mov     edi, last
        .while  edi > first
            mov ebx, first
            mov esi, ebx
            add esi, len
            .while  esi <= edi
                push ebx
                push esi
                call compare
                add esp, 8
                .if sdword ptr eax > 0
                    mov ebx, esi
                .endif
                add esi, len
            .endw
            .if ebx != edi
                invoke SwapItems, ebx, edi, len
            .endif
            sub edi, len
        .endw
        ret
SortShort endp

CompareItems macro a, b
        push    b
        push    a
        call    compare
        add     esp, 8
        test    eax, eax
        endm

; qsort: the median of three parts a run in two; the shorter one is sorted first. Items that
; compare equal end up in the order that the library gives them on Windows.
QSORT_STACK     equ 64
SHORT_ITEMS     equ 8

qsort   proc    C uses esi edi ebx base:DWORD, count:DWORD, len:DWORD, compare:DWORD
        local   first:DWORD, last:DWORD, middle:DWORD, depth:DWORD
        local   firsts[QSORT_STACK]:DWORD, lasts[QSORT_STACK]:DWORD
        .if     count < 2 || len == 0
            ret
        .endif
        mov     eax, count
        dec     eax
        mul     len
        add     eax, base
        mov     last, eax
        mov     eax, base
        mov     first, eax
        mov     depth, 0
again:
        mov     eax, last
        .if     eax < first
            jmp next
        .endif
        sub     eax, first
        xor     edx, edx
        div     len
        inc     eax
        .if     eax <= SHORT_ITEMS
            invoke SortShort, first, last, len, compare
            jmp next
        .endif
        shr     eax, 1
        mul     len
        add     eax, first
        mov     middle, eax
        CompareItems first, middle
        .if     !SIGN? && !ZERO?
            invoke SwapItems, first, middle, len
        .endif
        CompareItems first, last
        .if     !SIGN? && !ZERO?
            invoke SwapItems, first, last, len
        .endif
        CompareItems middle, last
        .if     !SIGN? && !ZERO?
            invoke SwapItems, middle, last, len
        .endif
        mov     esi, first
        add     esi, len
        mov     edi, last
        sub     edi, len
        .while  1
            .while esi <= edi
                .if esi != middle
                    CompareItems esi, middle
                    .break .if !SIGN? && !ZERO?
                .endif
                add esi, len
            .endw
            .while edi != middle
                CompareItems edi, middle
                .break .if SIGN? || ZERO?
                sub edi, len
            .endw
            .break .if edi < esi
            invoke SwapItems, esi, edi, len
            .if edi == middle
                mov middle, esi
            .endif
            add esi, len
            sub edi, len
        .endw
        ; What equals the middle one at the end of the left part is in its place.
        .while  edi > first
            .if edi != middle
                CompareItems edi, middle
                .break .if !ZERO?
            .endif
            sub edi, len
        .endw
        ; The longer part waits.
        mov     eax, edi
        sub     eax, first
        mov     edx, last
        sub     edx, esi
        mov     ecx, depth
        .if     eax >= edx
            mov eax, first
            mov firsts[ecx*4], eax
            mov lasts[ecx*4], edi
            mov first, esi
        .else
            mov firsts[ecx*4], esi
            mov eax, last
            mov lasts[ecx*4], eax
            mov last, edi
        .endif
        inc     depth
        jmp     again
next:
        .if     depth
            dec depth
            mov ecx, depth
            mov eax, firsts[ecx*4]
            mov first, eax
            mov eax, lasts[ecx*4]
            mov last, eax
            jmp again
        .endif
        ret
qsort   endp

bsearch proc    C uses esi edi ebx key:DWORD, base:DWORD, count:DWORD, len:DWORD, compare:DWORD
        xor     esi, esi
        mov     edi, count
        dec     edi
        .while  sdword ptr esi <= sdword ptr edi
            mov eax, edi
            sub eax, esi
            shr eax, 1
            add eax, esi
            mov ebx, eax
            mul len
            add eax, base
            push eax
            push eax
            push key
            call compare
            add esp, 8
            pop ecx
            .if eax == 0
                mov eax, ecx
                ret
            .endif
            .if sdword ptr eax < 0
                mov edi, ebx
                dec edi
            .else
                mov esi, ebx
                inc esi
            .endif
        .endw
        xor     eax, eax
        ret
bsearch endp

; Functions of one and of two numbers, which come back in ST(0).
unary   macro   name:req, number:req
name    proc    C x:REAL8
        local   result:REAL8
        invoke  PagefaultMath, number, addr x, addr result
        fld     result
        ret
name    endp
        endm

binary  macro   name:req, number:req
name    proc    C x:REAL8, y:REAL8
        local   result:REAL8
        invoke  PagefaultMath, number, addr x, addr result
        fld     result
        ret
name    endp
        endm

        unary   sin, 0
        unary   cos, 1
        unary   tan, 2
        unary   asin, 3
        unary   acos, 4
        unary   atan, 5
        unary   sinh, 6
        unary   cosh, 7
        unary   tanh, 8
        unary   exp, 9
        unary   log, 10
        unary   log10, 11
        unary   sqrt, 12
        unary   floor, 13
        unary   ceil, 14
        unary   fabs, 15
        binary  pow, 16
        binary  atan2, 17
        binary  fmod, 18
        binary  _hypot, 19

atof    proc    C string:DWORD
        local   result:REAL8
        invoke  PagefaultParseDouble, string, 0, addr result
        fld     result
        ret
atof    endp

strtod  proc    C string:DWORD, pEnd:DWORD
        local   result:REAL8
        invoke  PagefaultParseDouble, string, pEnd, addr result
        fld     result
        ret
strtod  endp

difftime proc   C later:DWORD, earlier:DWORD
        fild    later
        fisub   earlier
        ret
difftime endp

; What the compiler calls for the fraction: rounds towards zero into EDX:EAX.
_ftol   proc    C
        local   value:QWORD, oldControl:WORD, newControl:WORD
        fstcw   oldControl
        movzx   eax, oldControl
        or      eax, 0C00h
        mov     newControl, ax
        fldcw   newControl
        fistp   value
        fldcw   oldControl
        mov     eax, dword ptr value
        mov     edx, dword ptr value+4
        ret
_ftol   endp

; _controlfp: translates between the library's bits and the processor's; only exceptions, rounding
; and precision are known.
_controlfp proc C uses ebx new:DWORD, mask_:DWORD
        local   control:WORD
        fstcw   control
        movzx   ebx, control
        invoke  FromControl, ebx
        mov     ecx, mask_
        .if     ecx
            mov edx, ecx
            not edx
            and eax, edx
            and ecx, new
            or  eax, ecx
            push eax
            invoke ToControl, eax
            mov control, ax
            fldcw control
            pop eax
        .endif
        ret
_controlfp endp

FromControl proc C control:DWORD
        mov     ecx, control
        xor     eax, eax
        .if     ecx & 1
            or  eax, 10h
        .endif
        .if     ecx & 2
            or  eax, 80000h
        .endif
        .if     ecx & 4
            or  eax, 8
        .endif
        .if     ecx & 8
            or  eax, 4
        .endif
        .if     ecx & 10h
            or  eax, 2
        .endif
        .if     ecx & 20h
            or  eax, 1
        .endif
        mov     edx, ecx
        and     edx, 0C00h
        shr     edx, 2
        or      eax, edx
        mov     edx, ecx
        and     edx, 300h
        .if     edx == 0
            or  eax, 20000h
        .elseif edx == 200h
            or  eax, 10000h
        .endif
        ret
FromControl endp

ToControl proc  C bits:DWORD
        mov     ecx, bits
        mov     eax, 40h
        .if     ecx & 10h
            or  eax, 1
        .endif
        .if     ecx & 80000h
            or  eax, 2
        .endif
        .if     ecx & 8
            or  eax, 4
        .endif
        .if     ecx & 4
            or  eax, 8
        .endif
        .if     ecx & 2
            or  eax, 10h
        .endif
        .if     ecx & 1
            or  eax, 20h
        .endif
        mov     edx, ecx
        and     edx, 300h
        shl     edx, 2
        or      eax, edx
        mov     edx, ecx
        and     edx, 30000h
        .if     edx == 0
            or  eax, 300h
        .elseif edx == 10000h
            or  eax, 200h
        .endif
        ret
ToControl endp

_clearfp proc   C
        local   status:WORD
        fstsw   status
        fclex
        movzx   eax, status
        and     eax, 3Fh
        ret
_clearfp endp

_fpreset proc   C
        fninit
        ret
_fpreset endp
