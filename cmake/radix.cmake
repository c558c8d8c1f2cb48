# The kinds of target there are, one function each. A core that links gRPC, or another core, does not configure.

# What every target of ours is built with. Generated code is exempt from the warnings.
add_library(radix_build INTERFACE)
target_include_directories(radix_build INTERFACE ${PROJECT_SOURCE_DIR})
if(RADIX_SANITIZE)
  # -O1, because -O2 takes long to compile what sanitizers add.
  target_compile_options(radix_build INTERFACE
    -O1 -fsanitize=${RADIX_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(radix_build INTERFACE -fsanitize=${RADIX_SANITIZE})
  # Debian's gRPC is built without sanitizers; without these its headers would assume otherwise.
  target_compile_definitions(radix_build INTERFACE
    GRPC_ASAN_SUPPRESSED GRPC_TSAN_SUPPRESSED _GLIBCXX_ASSERTIONS)
endif()
add_library(radix_warnings INTERFACE)
target_compile_options(radix_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual
  -Wno-missing-field-initializers
  $<$<BOOL:${RADIX_WERROR}>:-Werror>)

# radix_proto_library(<name> <protos>...): the C++ of some protos, under the build tree. Paths are
# relative to the calling folder, which is also the root of their imports.
function(radix_proto_library name)
  set(generated)
  foreach(proto IN LISTS ARGN)
    string(REGEX REPLACE "\\.proto$" "" stem ${CMAKE_CURRENT_BINARY_DIR}/${proto})
    set(outputs ${stem}.pb.h ${stem}.pb.cc ${stem}.grpc.pb.h ${stem}.grpc.pb.cc)
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND protobuf::protoc --proto_path=${CMAKE_CURRENT_SOURCE_DIR}
              --cpp_out=${CMAKE_CURRENT_BINARY_DIR}
              --grpc_out=${CMAKE_CURRENT_BINARY_DIR}
              --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${CMAKE_CURRENT_SOURCE_DIR}/${proto}
      DEPENDS ${ARGN} VERBATIM)
    list(APPEND generated ${outputs})
    # Those of two protos define the same names.
    set_source_files_properties(${stem}.pb.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endforeach()
  add_library(${name} STATIC ${generated})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf gRPC::grpc++ absl::synchronization PRIVATE radix_build)
  target_include_directories(${name} SYSTEM PUBLIC ${CMAKE_CURRENT_BINARY_DIR})
endfunction()

# radix_library(<name> SOURCES ... DEPS ...): a library.
function(radix_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC radix_build ${arg_DEPS} PRIVATE radix_warnings)
endfunction()

# radix_core(<name> SOURCES ... DEPS ...): a library that does no I/O, radix_core_<name>. It cannot
# link gRPC, nor another core but the two that are vocabulary: confab's, and the registry's
# instances and tables, in which heartbeater, reeve and steward speak to each other.
function(radix_core name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  foreach(dep IN LISTS arg_DEPS)
    if(NOT dep MATCHES "^(absl::|radix_core_confab$|radix_core_registry$|PkgConfig::sodium$)")
      message(FATAL_ERROR "${name} is a core and may not depend on ${dep}")
    endif()
  endforeach()
  radix_library(radix_core_${name} SOURCES ${arg_SOURCES} DEPS ${arg_DEPS})
endfunction()

# radix_program(<name> [STATIC] SOURCES ... DEPS ...): one executable, left in RADIX_BIN_DIR. STATIC for what is started
# often: it links but libc dynamically, which takes a fifth of the time. (It takes 2 s longer to build, and 40 MB.)
function(radix_program name)
  cmake_parse_arguments(arg "STATIC" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE radix_build radix_warnings ${arg_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${RADIX_BIN_DIR})
  if(arg_STATIC AND NOT RADIX_SANITIZE)
    set(linker ${PROJECT_SOURCE_DIR}/cmake/link-static.sh)
    set_target_properties(${name} PROPERTIES CXX_LINKER_LAUNCHER ${linker} LINK_DEPENDS ${linker})
    target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc -Wl,-z,pack-relative-relocs)
  endif()
endfunction()

# Builds every test that is run.
add_custom_target(radix_tests)

# radix_test(<source> DEPS ... [TIMEOUT s]): one test binary, named after its source.
function(radix_test source)
  cmake_parse_arguments(arg "" "TIMEOUT" "DEPS" ${ARGN})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE radix_build radix_warnings GTest::gmock GTest::gtest_main ${arg_DEPS})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  # At the end, when all is known that it links.
  cmake_language(EVAL CODE
    "cmake_language(DEFER DIRECTORY [[${PROJECT_SOURCE_DIR}]] CALL radix_run_test ${name} ${arg_TIMEOUT})")
endfunction()

# Has CTest run a test binary, with the label that says what it links: `core` when it is nothing but cores, which have
# no threads; `grpc`; or `shell` for what has the one and not the other.
#
# The address and undefined sanitizers look at all of them; the thread sanitizer only at `shell`. Debian's gRPC is built
# without it, so that it would not see what gRPC synchronizes.
function(radix_run_test name timeout)
  set(label core)
  set(linked ${name})
  set(seen)
  while(NOT linked STREQUAL "")
    list(POP_FRONT linked target)
    if(target STREQUAL "gRPC::grpc++")
      set(label grpc)
      break()
    endif()
    if(target IN_LIST seen OR NOT TARGET "${target}")
      continue()
    endif()
    list(APPEND seen ${target})
    get_target_property(theirs ${target} IMPORTED)
    if(NOT theirs)
      get_target_property(libraries ${target} LINK_LIBRARIES)
      list(APPEND linked ${libraries})
      if(NOT target MATCHES "^(radix_core_.*|radix_sim|radix_build|radix_warnings|${name})$")
        set(label shell)
      endif()
    endif()
  endwhile()
  if(RADIX_SANITIZE MATCHES "thread" AND NOT label STREQUAL "shell")
    return()
  endif()
  if(RADIX_SANITIZE)
    math(EXPR timeout "5 * ${timeout}")  # they are that much slower
  endif()
  add_dependencies(radix_tests ${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} LABELS ${label})
endfunction()
