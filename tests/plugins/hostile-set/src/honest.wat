;; A component that gives back the rows it gets: `{n: int64!}` in and out. Every case of the set
;; replaces a part of it, or adds to it, and misbehaves there.
;;
;; Memory: 1024 the return area, 2048 what `describe` gives, 4096 names, 65536 the heap.
(module
  (import "[export]weir:operator/guest@0.1.0" "[resource-new]instance"
    (func $new (param i32) (result i32)))
  ;;@import

  ;;@memory
  (memory (export "memory") 2)
  ;;@end
  (global $heap (mut i32) (i32.const 65536))
  (global $calls (mut i32) (i32.const 0))
  ;;@more

  ;; One function `it`, a mapper from `n` to `n`.
  (data (i32.const 4096) "itnint64out")
  (data (i32.const 2048)
    "\00\10\00\00\02\00\00\00" "\00\00\00\00"        ;; name, kind: mapper
    "\00\00\00\00\00\00\00\00"                       ;; doc
    "\01\00\00\00" "\80\08\00\00\01\00\00\00"        ;; reads: one field at 2176
    "\a0\08\00\00\01\00\00\00"                       ;; ports: one at 2208
    "\00\00\00\00\00\00\00\00" "\00\00\00\00"        ;; state and its version
    "\00\00\00\00\00\00\00\00\00\00\00\00"           ;; where
    "\00\00\00\00\00\00\00\00"                       ;; config schema
    "\00\00\00\00\00\00\00\00"                       ;; capabilities
    "\00\00\00\00\00\00\00\00"                       ;; needs host
    "\00\00\00\00")                                  ;; determinism: pure
  (data (i32.const 2176)
    "\02\10\00\00\01\00\00\00" "\03\10\00\00\05\00\00\00" "\00\00\00\00")
  (data (i32.const 2208)
    "\08\10\00\00\03\00\00\00" "\01\00\00\00" "\80\08\00\00\01\00\00\00")
  (data (i32.const 2304) "\02\10\00\00\01\00\00\00") ;; the names that are read

  ;;@realloc
  (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32)
    (param $new i32) (result i32)
    (local $at i32)
    (global.set $heap
      (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap) (local.get $new)))
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
      (then
        (if (i32.eq (i32.const -1)
              (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $new) (i32.const 16)))))
          (then (unreachable)))))
    (local.get $at))
  ;;@end

  (func (export "weir:operator/guest@0.1.0#describe") (result i32)
    ;;@describe
    (i32.store (i32.const 1024) (i32.const 2048))
    (i32.store (i32.const 1028) (i32.const 1))
    (i32.const 1024)
    ;;@end
  )

  (func (export "weir:operator/guest@0.1.0#open")
    (param i32 i32 i32 i32 i32 i32 i32) (result i32)
    ;;@open
    (i32.store8 (i32.const 1024) (i32.const 0))
    (i32.store (i32.const 1028) (call $new (i32.const 1)))
    (i32.const 1024)
    ;;@end
  )

  (func (export "weir:operator/guest@0.1.0#[method]instance.layout") (param i32) (result i32)
    ;;@layout
    (i32.store (i32.const 1024) (i32.const 2304))
    (i32.store (i32.const 1028) (i32.const 1))
    (i32.store (i32.const 1032) (i32.const 2208))
    (i32.store (i32.const 1036) (i32.const 1))
    (i32.const 1024)
    ;;@end
  )

  ;; Where the values of the one column are.
  (func $values (param $columns i32) (result i32)
    (i32.load offset=8 (i32.load offset=8 (local.get $columns))))

  ;; Whether a 7 is among the rows.
  (func $bad (param $count i32) (param $columns i32) (result i32)
    (local $at i32)
    (local.set $at (call $values (local.get $columns)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (if (i64.eq (i64.load (local.get $at)) (i64.const 7)) (then (return (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  (func $honest (param $count i32) (param $columns i32) (param $length i32)
    (i32.store8 (i32.const 1024) (i32.const 0))
    (i32.store (i32.const 1028) (local.get $count))
    (i32.store (i32.const 1032) (local.get $columns))
    (i32.store (i32.const 1036) (local.get $length))
    (i32.store (i32.const 1040) (i32.const 0))
    (i32.store (i32.const 1044) (i32.const 0)))

  (func (export "weir:operator/mapper@0.1.0#map-rows")
    (param $this i32) (param $count i32) (param $columns i32) (param $length i32) (result i32)
    (local $i i32)
    (call $honest (local.get $count) (local.get $columns) (local.get $length))
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    ;;@always
    (if (call $bad (local.get $count) (local.get $columns))
      (then
        ;;@map
      ))
    (i32.const 1024))

  ;; What was given to a call is free when it is over.
  ;;@post
  (func (export "cabi_post_weir:operator/mapper@0.1.0#map-rows") (param i32)
    (global.set $heap (i32.const 65536)))
  ;;@end
)
