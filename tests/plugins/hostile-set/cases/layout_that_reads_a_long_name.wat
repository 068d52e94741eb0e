;; mapper
;; Wants a column whose name has a mebibyte.

(memory $memory (export "memory") 32)
(data $reads (i32.const 1060) (i32 0 0 0))
(data $layout_given (i32.const 3040) (i32 3056 1 1240 1))
(data $long_name (i32.const 3056) (i32 131072 1048576))
(func $layout (export "weir:operator/guest@0.1.0#[method]instance.layout")
  (param i32) (result i32)
  (memory.fill (i32.const 131072) (i32.const 97) (i32.const 1048576))
  (i32.const 3040))
