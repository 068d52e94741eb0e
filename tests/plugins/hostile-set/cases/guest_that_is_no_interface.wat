;; whole
;; A function under the name of the interface.

(component
  (core module $module (func (export "f")))
  (core instance $instance (instantiate $module))
  (func $guest (canon lift (core func $instance "f")))
  (export "weir:operator/guest@0.1.0" (func $guest)))
