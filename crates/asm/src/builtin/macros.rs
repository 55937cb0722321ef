//! Macros that programs written for the MASM32 package use, written anew.

/// What `include masm32rt.inc` stands for.
pub(super) const RUNTIME: &str = "\
.486
.model flat,stdcall
option casemap:none
include windows.inc
include macros.asm
";

/// The macros, as source text.
pub(super) const MACROS: &str = "\
m2m macro destination:req,source:req
 push source
 pop destination
endm
mrm macro destination:req,source:req
 mov eax,source
 mov destination,eax
endm
return macro value
 ifnb <value>
  ifdifi <value>,<eax>
   mov eax,value
  endif
 endif
 ret
endm
SADD macro quoted:vararg
 local text
 .data
text db quoted,0
 align 4
 .code
 exitm <addr text>
endm
CTXT macro quoted:vararg
 local text
 .data
text db quoted,0
 align 4
 .code
 exitm <offset text>
endm
chr$ macro quoted:vararg
 local text
 .data
text db quoted,0
 align 4
 .code
 exitm <offset text>
endm
literal macro quoted:vararg
 local text
 .data
text db quoted,0
 align 4
 .code
 exitm <text>
endm
reparg macro argument
 local text,first
 first substr <argument>,1,1
 ifidn first,<\">
  .data
text db argument,0
  align 4
  .code
  exitm <offset text>
 else
  exitm <argument>
 endif
endm
print macro first:req,others:vararg
 local text,quote
 quote substr <first>,1,1
 ifidn quote,<\">
  ifb <others>
   invoke StdOut,chr$(first)
  else
   invoke StdOut,chr$(first,others)
  endif
 else
  invoke StdOut,first
  ifnb <others>
   invoke StdOut,chr$(others)
  endif
 endif
endm
fn macro function:req,arguments:vararg
 local list
list textequ <invoke function>
 for argument,<arguments>
list  catstr list,<,>,reparg(<argument>)
 endm
 list
endm
rv macro function:req,arguments:vararg
 local list
list textequ <invoke function>
 for argument,<arguments>
list  catstr list,<,>,reparg(<argument>)
 endm
 list
 exitm <eax>
endm
func macro function:req,arguments:vararg
 invoke function,arguments
 exitm <eax>
endm
exit macro code
 ifb <code>
  invoke ExitProcess,0
 else
  invoke ExitProcess,code
 endif
endm
inkey macro message:vararg
 ifb <message>
  print \"Press any key to continue ...\"
 else
  print message
 endif
 invoke wait_key
 print chr$(13,10)
endm
str$ macro number
 local buffer
 .data?
buffer db 40 dup (?)
 .code
 ifdifi <number>,<eax>
  mov eax,number
 endif
 invoke dwtoa,eax,addr buffer
 exitm <offset buffer>
endm
ustr$ macro number
 local buffer
 .data?
buffer db 40 dup (?)
 .code
 ifdifi <number>,<eax>
  mov eax,number
 endif
 invoke udw2str,eax,addr buffer
 exitm <offset buffer>
endm
hex$ macro number
 local buffer
 .data?
buffer db 12 dup (?)
 .code
 ifdifi <number>,<eax>
  mov eax,number
 endif
 invoke dw2hex,eax,addr buffer
 exitm <offset buffer>
endm
sval macro text
 invoke crt_atol,reparg(<text>)
 exitm <eax>
endm
uval macro text
 invoke atodw,reparg(<text>)
 exitm <eax>
endm
hval macro text
 invoke htodw,reparg(<text>)
 exitm <eax>
endm
len macro text
 invoke szLen,reparg(<text>)
 exitm <eax>
endm
input macro message:vararg
 local buffer
 ifnb <message>
  print message
 endif
 .data?
buffer db 260 dup (?)
 .code
 invoke StdIn,addr buffer,sizeof buffer
 invoke StripLF,addr buffer
 exitm <offset buffer>
endm
ucase$ macro text
 invoke szUpper,reparg(<text>)
 exitm <eax>
endm
lcase$ macro text
 invoke szLower,reparg(<text>)
 exitm <eax>
endm
trim$ macro text
 invoke szTrim,reparg(<text>)
 exitm <eax>
endm
cst macro destination,source
 invoke szCopy,reparg(<source>),destination
endm
add$ macro first,second
 invoke szCatStr,reparg(<first>),reparg(<second>)
 exitm <eax>
endm
cat$ macro buffer:req,texts:vararg
 for text,<texts>
  invoke szCatStr,buffer,reparg(<text>)
 endm
 exitm <buffer>
endm
cls macro
 invoke ClearScreen
endm
cfm$ macro quoted:vararg
 local text
 .data
text db @CFormat(quoted),0
 align 4
 .code
 exitm <offset text>
endm
cfmarg macro argument
 local first
 first substr <argument>,1,1
 ifidn first,<\">
  exitm cfm$(argument)
 else
  exitm <argument>
 endif
endm
printf macro format:req,arguments:vararg
 local list
list textequ <invoke crt_printf,>
list catstr list,cfmarg(<format>)
 for argument,<arguments>
list  catstr list,<,>,reparg(<argument>)
 endm
 list
 exitm <>
endm
alloc macro bytes
 invoke GlobalAlloc,GMEM_FIXED or GMEM_ZEROINIT,bytes
 exitm <eax>
endm
free macro block
 invoke GlobalFree,block
endm
@@switch_number = 0
@@switch_depth = 0
switch macro value:req,register
 @@switch_number = @@switch_number+1
 @@switch_depth = @@switch_depth+1
 @@switch_open %@@switch_depth,%@@switch_number
 @CatStr(<@@switch_next>,%@@switch_number) = 0
 @CatStr(<@@switch_first>,%@@switch_number) = 1
 ifb <register>
@CatStr(<@@switch_register>,%@@switch_number) textequ <eax>
  ifdifi <value>,<eax>
   mov eax,value
  endif
 else
@CatStr(<@@switch_register>,%@@switch_number) textequ <register>
  mov register,value
 endif
endm
@@switch_open macro depth,number
@@switch_at&depth = number
endm
case macro values:vararg
 @@case_in %@CatStr(<@@switch_at>,%@@switch_depth),values
endm
@@case_in macro number,values:vararg
 if @@switch_first&number eq 0
  jmp @@switch_end&number
 endif
 @@case_label number,%@@switch_next&number
 @@switch_first&number = 0
 @@switch_next&number = @@switch_next&number+1
 for value,<values>
  cmp @@switch_register&number,value
  @@case_jump number,%@@switch_next&number
 endm
 @@case_skip number,%@@switch_next&number
 @@case_body number,%@@switch_next&number
endm
@@case_label macro number,next
@@switch_case&number&_&next:
endm
@@case_jump macro number,next
 je @@switch_body&number&_&next
endm
@@case_skip macro number,next
 jmp @@switch_case&number&_&next
endm
@@case_body macro number,next
@@switch_body&number&_&next:
endm
default macro
 @@default_in %@CatStr(<@@switch_at>,%@@switch_depth)
endm
@@default_in macro number
 if @@switch_first&number eq 0
  jmp @@switch_end&number
 endif
 @@case_label number,%@@switch_next&number
 @@switch_first&number = 0
 @@switch_next&number = @@switch_next&number+1
endm
endsw macro
 @@endsw_in %@CatStr(<@@switch_at>,%@@switch_depth)
 @@switch_depth = @@switch_depth-1
endm
@@endsw_in macro number
 @@case_label number,%@@switch_next&number
@@switch_end&number:
endm
";
