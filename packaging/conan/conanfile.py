# SPDX-License-Identifier: BSL-1.0

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, get
from conan.tools.layout import basic_layout

required_conan_version = ">=2.0"


class OtppConan(ConanFile):
    name = "otpp"
    description = "Erlang/OTP's gen_server and supervisors for C++20 coroutines on standalone Asio"
    license = "BSL-1.0"
    topics = ("actor", "asio", "coroutines", "erlang", "gen-server", "header-only", "otp", "supervisor")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"observer": [True, False], "dist_tls": [True, False]}
    default_options = {"observer": False, "dist_tls": False}
    no_copy_source = True

    def layout(self):
        basic_layout(self, src_folder="src")

    def requirements(self):
        self.requires("asio/[>=1.22.1 <2]")
        if self.options.observer:
            self.requires("llhttp/[>=9 <10]")
        if self.options.dist_tls:
            self.requires("openssl/[>=1.1.1 <4]")

    # The options change what is required, not what is in the package.
    def package_id(self):
        self.info.clear()

    def validate(self):
        check_min_cppstd(self, 20)

    def source(self):
        get(self, **self.conan_data["sources"][self.version], strip_root=True)

    def package(self):
        copy(self, "LICENSE", self.source_folder, f"{self.package_folder}/licenses")
        for pattern in ("*.hpp", "*.cppm"):
            copy(self, pattern, f"{self.source_folder}/include", f"{self.package_folder}/include")

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "otpp")
        self.cpp_info.set_property("pkg_config_name", "otpp")
        self.cpp_info.set_property("cmake_target_name", "otpp::all")  # the component core is otpp::otpp

        core = self.cpp_info.components["core"]
        core.set_property("cmake_target_name", "otpp::otpp")
        core.requires = ["asio::asio"]
        dist = self.cpp_info.components["dist"]
        dist.set_property("cmake_target_name", "otpp::dist")
        dist.requires = ["core"]
        if self.options.observer:
            observer = self.cpp_info.components["observer"]
            observer.set_property("cmake_target_name", "otpp::observer")
            observer.requires = ["core", "llhttp::llhttp"]
        if self.options.dist_tls:
            dist_tls = self.cpp_info.components["dist_tls"]
            dist_tls.set_property("cmake_target_name", "otpp::dist_tls")
            dist_tls.requires = ["dist", "openssl::openssl"]

        for component in self.cpp_info.components.values():
            component.bindirs = []
            component.libdirs = []
        if self.settings.os in ("Linux", "FreeBSD"):
            core.system_libs = ["pthread"]
